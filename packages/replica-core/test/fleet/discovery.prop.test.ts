import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { DiscoveryEvent } from '../../src/fleet/discovery-events.ts'
import { FolderWatches } from '../../src/fleet/folder-watches.ts'
import { DiscoveryLog, header, place } from './discovery-log.ts'

const FOLDERS = ['', 'a', 'b', 'a/c', 'b/c']
const NAMES = ['x', 'y', 'z']
const folder = fc.constantFrom(...FOLDERS)
const file = fc
  .tuple(folder, fc.constantFrom(...NAMES))
  .map(([at, name]) => (at === '' ? name : `${at}/${name}`))
const kind = fc.constantFrom('wal', 'rollback', 'other', 'empty')

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), file, kind }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('touch' as const), file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), from: file, to: file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), file }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move-folder' as const), from: folder, to: folder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove-folder' as const), folder }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('scan' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

function content(what: string): Uint8Array {
  if (what === 'wal' || what === 'rollback') return header(what)
  return what === 'empty' ? new Uint8Array() : new Uint8Array(4096).fill(1)
}

/** What is where, by relative path. A file that was once told as a database counts as one until it is another file. */
class Model {
  readonly kinds = new Map<string, { kind: string }>()
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  apply(op: Operation): void {
    const path = (relpath: string) => (relpath === '' ? this.#root : `${this.#root}/${relpath}`)
    switch (op.do) {
      case 'write': {
        // Never in place: another kind of file comes under its own inode, as programs write them.
        place(`${path(op.file)}.new`, content(op.kind))
        renameSync(`${path(op.file)}.new`, path(op.file))
        this.kinds.set(op.file, { kind: op.kind })
        break
      }
      case 'touch':
        if (this.kinds.has(op.file)) writeFileSync(`${path(op.file)}-wal`, `${Math.random()}`)
        break
      case 'move': {
        const moved = this.kinds.get(op.from)
        if (!moved || op.from === op.to) break
        mkdirSync(path(op.to.split('/').slice(0, -1).join('/')), { recursive: true })
        renameSync(path(op.from), path(op.to))
        this.kinds.delete(op.from)
        this.kinds.set(op.to, moved)
        break
      }
      case 'remove':
        rmSync(path(op.file), { force: true })
        this.kinds.delete(op.file)
        break
      case 'move-folder': {
        const possible = op.from !== '' && existsSync(path(op.from)) && !existsSync(path(op.to))
        if (!possible || op.to.startsWith(`${op.from}/`)) break
        mkdirSync(path(op.to.split('/').slice(0, -1).join('/')), { recursive: true })
        renameSync(path(op.from), path(op.to))
        for (const [relpath, each] of [...this.kinds]) {
          if (!relpath.startsWith(`${op.from}/`)) continue
          this.kinds.delete(relpath)
          this.kinds.set(op.to + relpath.slice(op.from.length), each)
        }
        break
      }
      case 'remove-folder':
        rmSync(path(op.folder), { recursive: true, force: true })
        for (const relpath of [...this.kinds.keys()]) {
          if (op.folder === '' || relpath.startsWith(`${op.folder}/`)) this.kinds.delete(relpath)
        }
        break
      case 'scan':
      case 'turn':
    }
  }

  get databases(): string[] {
    return [...this.kinds].flatMap(([relpath, each]) => (each.kind === 'wal' ? [relpath] : [])).sort()
  }
}

/** What a listener that only knows the events takes for there. */
function follow(events: readonly DiscoveryEvent[]): Map<string, bigint> {
  const there = new Map<string, bigint>()
  for (const event of events) {
    if (event.type === 'warning') continue
    if (event.type === 'changed') {
      expect(there.has(event.relpath), `changed ${event.relpath}`).toBe(true)
      continue
    }
    const { relpath, ino } = event.candidate
    expect(there.has(relpath), `${event.type} ${relpath}`).toBe(event.type !== 'found')
    if (event.type === 'gone') there.delete(relpath)
    else there.set(relpath, ino)
  }
  return there
}

it.each([
  ['with events', true],
  ['with scans alone', false],
])(
  'F2: after any history of files and folders a scan has found what is there (%s)',
  async (_name, events) => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
        using temp = new TempFolder('discovery-model')
        const root = temp.join('root')
        mkdirSync(root)
        const model = new Model(root)
        const watches = events ? new FolderWatches() : new FolderWatches(() => ({ close: () => undefined }))
        await using log = await DiscoveryLog.open(root, { exclude: ['*.new'] }, watches)
        for (const op of operations) {
          model.apply(op)
          if (op.do === 'scan') await log.discovery.scan()
          if (op.do === 'turn') await new Promise((resolve) => setImmediate(resolve))
        }
        await log.discovery.scan()
        expect(log.found).toEqual(model.databases)
        const followed = follow(log.events)
        expect([...followed.keys()].sort()).toEqual(model.databases)
        for (const [relpath, ino] of followed) {
          expect(statSync(`${root}/${relpath}`, { bigint: true }).ino).toBe(ino)
        }
      }),
      { numRuns: 150 },
    )
  },
)
