import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * What happens at the n-th piece of data that clients send. `lose`: it never arrives, and the connection ends. `lose-answer`: it
 * arrives, the connection ends before the answer. `hold`: as `lose`, but it arrives when `release` is called. `hang`: nothing
 * goes through any more.
 */
export type TCPFault = 'lose' | 'lose-answer' | 'hold' | 'hang'

/** Between a client and a server on this machine; counts what the clients send. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  readonly #held: (() => Promise<void>)[] = []
  #plan: { fault: TCPFault; left: number } | undefined
  #isHanging = false
  /** No new connections. */
  isDown = false
  /** Whether the planned fault has happened. */
  hasStruck = false

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#serve(client))
  }

  static async start(target: number): Promise<FaultProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultProxy(server, target)
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size / 2
  }

  /** Plans a fault for the n-th piece of data from now on, n from 1. */
  arm(fault: TCPFault, n: number): void {
    this.#plan = { fault, left: n }
    this.hasStruck = false
  }

  /** Everything works again, for new connections. */
  heal(): void {
    this.#plan = undefined
    this.#isHanging = false
    this.isDown = false
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Lets the held data arrive, and waits until the server has ended those connections. */
  async release(): Promise<void> {
    for (const arrive of this.#held.splice(0)) await arrive()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(client: Socket): void {
    if (this.isDown) {
      client.destroy()
      return
    }
    const server = connect(this.#target, '127.0.0.1')
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
    }
    let isHeld = false
    client.on('data', (data) => {
      if (this.#isHanging || isHeld) return
      const fault = this.#next()
      switch (fault) {
        case undefined:
          server.write(data)
          break
        case 'hang':
          this.#isHanging = true
          break
        case 'lose':
          server.destroy()
          client.destroy()
          break
        case 'lose-answer':
          isHeld = true
          client.destroy()
          server.end(data)
          break
        case 'hold':
          isHeld = true
          client.destroy()
          this.#sockets.delete(server)
          this.#held.push(async () => {
            server.end(data)
            if (!server.closed) await once(server, 'close')
          })
      }
    })
    server.on('data', (data) => {
      if (!this.#isHanging && !isHeld) client.write(data)
    })
    client.on('close', () => {
      if (!isHeld) server.destroy()
    })
    server.on('close', () => client.destroy())
  }

  #next(): TCPFault | undefined {
    if (this.#plan === undefined) return undefined
    this.#plan.left -= 1
    if (this.#plan.left > 0) return undefined
    const { fault } = this.#plan
    this.#plan = undefined
    this.hasStruck = true
    return fault
  }
}
