import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A server program to start. */
export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  /** On 127.0.0.1; the server is ready when it accepts connections there. */
  readonly port: number
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Default 30 s. */
  readonly startLimitMs?: number
  /** It has workers, processes of its own, that get its signals and end with it. Default: false. */
  readonly hasWorkers?: boolean
}

/** Each with a way to signal it. */
const running = new Map<ChildProcess, (name: NodeJS.Signals) => void>()

process.once('exit', () => {
  for (const signal of running.values()) signal('SIGKILL')
})

/** A real server on 127.0.0.1, in a process of its own; ends with this process at the latest. */
export class ServerProcess implements AsyncDisposable {
  readonly port: number
  readonly #child: ChildProcess
  #output = ''

  private constructor(child: ChildProcess, port: number, hasWorkers: boolean) {
    this.port = port
    this.#child = child
    running.set(child, (name) => {
      if (!hasWorkers || child.pid === undefined) child.kill(name)
      // A group of its own, see below.
      else process.kill(-child.pid, name)
    })
    child.once('close', () => running.delete(child))
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-20_000)
      })
    }
  }

  /** @throws Error with what it printed when it ends, or does not accept connections in time */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const { program, args, port, env = process.env, cwd, startLimitMs = 30_000, hasWorkers = false } = command
    const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: hasWorkers })
    const server = new ServerProcess(child, port, hasWorkers)
    let end: string | undefined
    child.once('error', (error) => {
      end = error.message
    })
    child.once('close', (code, signal) => {
      end ??= signal ?? `exit code ${code}`
    })
    const deadline = Date.now() + startLimitMs
    while (!(await accepts(port))) {
      if (end === undefined && Date.now() < deadline) {
        await sleep(20)
        continue
      }
      const problem = end ?? 'no open port in time'
      await server[Symbol.asyncDispose]()
      throw new Error(`${program} ${args.join(' ')}: ${problem}\n${server.output}`)
    }
    return server
  }

  /** The last 20,000 characters that it printed. */
  get output(): string {
    return this.#output
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Makes it hang, until SIGCONT. The signal stops threads one by one, and one that runs still may answer: none does after this. */
  async pause(): Promise<void> {
    this.signal('SIGSTOP')
    while (threadStates(this.pid).some((state) => state !== 'T')) await sleep(1)
  }

  /** Sends a signal. SIGCONT lets it go on after `pause`. */
  signal(name: NodeJS.Signals): void {
    running.get(this.#child)?.(name)
  }

  /** Kills it and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!running.has(this.#child)) return
    const closed = once(this.#child, 'close')
    this.signal('SIGKILL')
    await closed
  }
}

/** A letter for each thread, T for one that is stopped; none where the system does not tell. */
function threadStates(pid: number): string[] {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return []
  return readdirSync(tasks).flatMap((thread) => {
    try {
      return /\) (\w)/.exec(readFileSync(`${tasks}/${thread}/stat`, 'utf8'))?.[1] ?? []
    } catch {
      // It has ended meanwhile.
      return []
    }
  })
}

/** A port of 127.0.0.1 that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
