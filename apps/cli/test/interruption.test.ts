import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { RUN, startProgram } from './support/run-cli.ts'

/** A command that never ends by itself and only says that it was asked to. */
const STUBBORN = `
  const { Interruption } = await import(${JSON.stringify(new URL('../dist/interruption.js', pathToFileURL(RUN)).href)})
  const interruption = new Interruption()
  interruption.start()
  interruption.signal.addEventListener('abort', () => console.log('asked: ' + interruption.signal.reason.message))
  setInterval(() => {}, 1000)
  console.log('ready')
`

test.each(['SIGINT', 'SIGTERM'] as const)(
  'the first %s asks, the second ends the process at once',
  async (signal) => {
    const { child, line, result } = startProgram(process.execPath, ['--input-type=module', '-e', STUBBORN])
    await line(/^ready$/)
    child.kill(signal)
    expect(await line(/^asked: /)).toBe(`asked: stopped by ${signal}`)
    expect(child.exitCode).toBeNull()
    child.kill(signal)
    expect((await result).status).toBe(EXIT.interrupted)
  },
)
