import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Hands an address to the browser of the desktop. Resolves with false where there is none. */
export async function openBrowser(url: string): Promise<boolean> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(program, [url], { stdio: 'ignore', detached: true })
  child.unref()
  try {
    await once(child, 'spawn')
    return true
  } catch {
    return false
  }
}
