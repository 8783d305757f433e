import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface Child {
  readonly process: ChildProcess
  /** Whole lines that it has printed. */
  readonly lines: string[]
  /** Resolves when it is gone; rejects when it ended by itself with an error. */
  readonly ended: Promise<void>
}

/** Runs a script of this folder in a process of its own, on the sources. */
export function startChild(script: string, ...args: string[]): Child {
  const child = spawn(
    process.execPath,
    ['--conditions=@sqlstream/source', join(import.meta.dirname, script), ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    },
  )
  const lines: string[] = []
  let rest = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    if (code !== 0 && signal !== 'SIGKILL')
      throw new Error(`${script} ended with ${code ?? signal}: ${errors}`)
  })
  return { process: child, lines, ended }
}
