import { closeSync, openSync, readFileSync } from 'node:fs'

/**
 * Whether a key such as Ctrl-C, or the end of the terminal, sends its signal to this process and to the programs that it has started at the
 * same time: they are in one group, and that is in the foreground of a terminal.
 */
export function isInForeground(): boolean {
  try {
    return isForegroundStat(readFileSync('/proc/self/stat', 'utf8'))
  } catch {
    return hasTerminal()
  }
}

/** The same from the text of `/proc/<pid>/stat`. */
export function isForegroundStat(stat: string): boolean {
  // The name of the program is in parentheses and may hold anything.
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return terminal !== '0' && foreground === group
}

/** Where a system does not tell who is in the foreground: whether there is a terminal at all. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
