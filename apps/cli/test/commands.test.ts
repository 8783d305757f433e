import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { SCHEMAS } from '../src/schema.ts'
import { runCLI } from './support/run-cli.ts'

interface CommandManifest {
  readonly id: string
  readonly description?: string
  readonly summary?: string
  readonly examples?: readonly unknown[]
  readonly args: Readonly<Record<string, { description?: string; required?: boolean }>>
  readonly flags: Readonly<
    Record<string, { description?: string; char?: string; options?: string[]; default?: unknown }>
  >
}

const manifest = JSON.parse(readFileSync(new URL('../oclif.manifest.json', import.meta.url), 'utf8')) as {
  commands: Record<string, CommandManifest>
}
const commands = Object.values(manifest.commands)

test('commands, arguments and flags are those of command-snapshot.json', () => {
  // The order in which the manifest is made is that of the folders on disk.
  const sorted = commands.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const snapshot = sorted.map(({ id, args, flags }) => ({
    command: id.replaceAll(':', ' '),
    args: Object.entries(args).map(([name, arg]) => (arg.required ? name : `[${name}]`)),
    flags: Object.entries(flags)
      .map(
        ([name, { char, options }]) =>
          `${char ? `-${char}, ` : ''}--${name}${options ? ` ${options.join('|')}` : ''}`,
      )
      .sort(),
  }))
  const committed: unknown = JSON.parse(
    readFileSync(new URL('../command-snapshot.json', import.meta.url), 'utf8'),
  )
  expect(snapshot).toEqual(committed)
})

test('the committed JSON schemas are those of the code', () => {
  const folder = new URL('../schemas/', import.meta.url)
  expect(readdirSync(folder).sort()).toEqual(
    Object.keys(SCHEMAS)
      .map((name) => `${name}.json`)
      .sort(),
  )
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    const committed: unknown = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
    expect(committed).toEqual({ title: `sqlstream ${name}`, ...z.toJSONSchema(schema) })
  }
})

describe.each(commands)('$id', (command) => {
  let help = ''

  beforeAll(async () => {
    help = (await runCLI([...command.id.split(':'), '--help'])).stdout
  })

  test('has help with a summary, a description and an example that names it', () => {
    expect(command.summary).toMatch(/\.$/)
    expect(command.description).toMatch(/\.$/)
    expect(help).toContain('EXAMPLES')
    expect(help).toContain(`$ sqlstream ${command.id.replaceAll(':', ' ')} `)
  })

  test('describes each argument and each flag', () => {
    for (const arg of Object.values(command.args)) expect(arg.description).toBeTruthy()
    for (const flag of Object.values(command.flags)) expect(flag.description).toBeTruthy()
  })

  test('offers --json', () => {
    expect(Object.keys(command.flags)).toContain('json')
  })
})

test('the topmost help lists every command', async () => {
  const { stdout, status } = await runCLI(['--help'])
  expect(status).toBe(0)
  for (const { id } of commands) expect(stdout).toContain(id.split(':')[0])
})
