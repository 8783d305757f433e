import { readFileSync } from 'node:fs'

/** Clock ticks a second of /proc, the same on every Linux that Node runs on. */
const TICKS = 100

/** Peak resident memory of this process so far, in bytes. */
export function peakMemory(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return Number(kilobytes) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}

/** Seconds of processor time that a process with all its threads has used; NaN where the system does not tell. */
export function processorSeconds(pid: number): number {
  try {
    // The name in the second field may hold spaces, so count from behind its bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    return Number.NaN
  }
}

/** Resident memory of a process, in bytes; NaN where the system does not tell. */
export function residentMemory(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}
