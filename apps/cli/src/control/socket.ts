import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, link, lstat, mkdir, readdir, rename, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { CLIError } from '../cli-error.ts'

/** The shortest limit of the systems that have such sockets, without the byte at the end. */
const LONGEST_PATH = 103

/** The folder of the sockets that were given no path: one for each user. */
export function runtimeFolder(): string {
  const { XDG_RUNTIME_DIR: base } = process.env
  return base ? join(base, 'sqlstream') : join(tmpdir(), `sqlstream-${process.getuid?.() ?? 'user'}`)
}

/** Creates that folder if need be, and removes what dead processes left in it. @throws CLIError `socket-in-use` when others may write there */
export async function ownRuntimeFolder(): Promise<string> {
  const folder = runtimeFolder()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await assertOwn(folder)
  for (const path of await runtimeSockets()) await removeDead(path).catch(() => undefined)
  return folder
}

/** The sockets in that folder, of processes that may have ended. */
export async function runtimeSockets(): Promise<string[]> {
  const folder = runtimeFolder()
  try {
    await assertOwn(folder)
    return (await readdir(folder))
      .filter((name) => name.endsWith('.sock') && !name.startsWith('.'))
      .map((name) => join(folder, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** In a folder that everybody may write, another user could have made it first. */
async function assertOwn(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder)
  if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
    throw new CLIError(
      'socket-in-use',
      `others may write in ${folder}`,
      'name a socket with --socket, or remove that folder',
    )
  }
}

/**
 * Makes a server listen at a path, for its owner alone. What a dead process left there is replaced.
 *
 * @returns a function that removes the socket, if it is still this one
 * @throws CLIError `socket-in-use` when a process listens there, or something else lies there; `usage` for a path that is too long
 */
export async function listenAt(server: Server, path: string): Promise<() => Promise<void>> {
  // Under another name first: whoever meets the socket at its path meets one that answers.
  const first = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  assertShort(path)
  assertShort(first)
  server.listen(first)
  await once(server, 'listening')
  try {
    await chmod(first, 0o600)
    for (;;) {
      try {
        await link(first, path)
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        await removeDead(path)
      }
    }
    const { ino } = await lstat(path)
    return async () => {
      const now = await lstat(path).catch(() => undefined)
      if (now?.ino === ino) await unlink(path)
    }
  } catch (error) {
    server.close()
    throw error
  } finally {
    await unlink(first).catch(() => undefined)
  }
}

/** Removes the socket of a dead process. @throws CLIError `socket-in-use` */
async function removeDead(path: string): Promise<void> {
  const found = await lstat(path).catch(ifMissing)
  if (found === undefined) return
  if (!found.isSocket())
    throw new CLIError('socket-in-use', `${path} is no socket`, 'name another path with --socket')
  if (await answers(path)) {
    throw new CLIError(
      'socket-in-use',
      `another process listens at ${path}`,
      'stop it, or name another path with --socket',
    )
  }
  // Whoever else found it dead may have put his own there meanwhile: that one goes back.
  const aside = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  await rename(path, aside).catch(ifMissing)
  const moved = await lstat(aside).catch(ifMissing)
  if (moved === undefined) return
  if (moved.ino !== found.ino) await link(aside, path).catch(() => undefined)
  await unlink(aside)
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return false
    // One that is too busy to answer, or not ours to ask, is not dead.
    return true
  } finally {
    socket.destroy()
  }
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

function assertShort(path: string): void {
  if (Buffer.byteLength(path) <= LONGEST_PATH) return
  throw new CLIError(
    'usage',
    `the path of the socket is longer than ${LONGEST_PATH} bytes: ${path}`,
    'name a shorter one with --socket',
  )
}
