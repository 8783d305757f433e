import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Attachment } from '../src/attachment.ts'
import { Serial } from '../src/serial.ts'
import { ReadHold } from '../src/sqlite/connection.ts'
import { DatabaseFiles } from '../src/sqlite/database-files.ts'
import { Holder } from '../src/sqlite/holder.ts'
import { Upkeep } from '../src/upkeep.ts'
import { Application } from './scenarios/support/application.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

/** Of the connection that checkpoints: far longer than a refresh of the holder takes. */
const BUSY_TIMEOUT_MS = 5000
const MODES = ['FULL', 'RESTART', 'TRUNCATE'] as const

const nothing = async (): Promise<void> => undefined
let scene: Scene
let files: DatabaseFiles
let holder: Holder
let upkeep: Upkeep
/** Called once, by a move that is between its guard's begin and the end of what was held before. */
let inMove: (() => void) | undefined

beforeEach(async () => {
  scene = await Scene.begin()
  scene.app.open(scene.database, 'other', BUSY_TIMEOUT_MS)
  // It reads the schema, so that its checkpoint begins no read transaction, which would leave a mark.
  scene.app.run(addRows(1), 'other')
  files = DatabaseFiles.open(scene.database)
  holder = new Holder(files, (name) => {
    const what = inMove
    inMove = undefined
    if (name === 'holder:between') what?.()
  })
  // Nothing of it is used but what the refresh needs while the application is not idle.
  const attachment = { files, holder, cycle: { running: false } } as Attachment
  upkeep = new Upkeep({
    serial: new Serial(),
    emit: () => undefined,
    attachment: () => attachment,
    capture: nothing,
    onCycle: () => undefined,
  })
})

afterEach(async () => {
  inMove = undefined
  holder.close()
  files.close()
  await scene[Symbol.asyncDispose]()
})

/** Takes the first place: with everything in the WAL, it is a slot above 0. */
function attach(): void {
  holder.attach()
  files.openIndex()
}

/** Commits, begins a checkpoint, and stops the application where it waits for one of our slots. */
function commitAndCheckpoint(mode: (typeof MODES)[number]): Promise<number[]> {
  scene.app.run(addRows(1), 'other')
  const answer = scene.app.beginCheckpoint(scene.database, mode, 'other')
  scene.app.stop()
  return answer
}

async function refresh(): Promise<void> {
  // Commits are seen all the time.
  upkeep.active()
  await upkeep.refresh()
}

/** Refreshes the holder as often as it may be while the application sleeps, and then until its checkpoint has ended. */
async function expectEnd(answer: Promise<number[]>): Promise<void> {
  for (let i = 0; i < 4; i++) await refresh()
  scene.app.goOn()
  let ended = false
  const busy = answer.then(([code]) => {
    ended = true
    return code
  })
  while (!ended) {
    await refresh()
    await sleep(5)
  }
  expect(await busy).toBe(0)
}

describe.runIf(process.platform === 'linux')('K4: a checkpoint that waits for the holder ends soon', () => {
  const places = MODES.flatMap((mode) => [0, 1, 2].map((moves) => ({ mode, moves })))

  it.each(places)('$mode, begun during a move that $moves others came before', async ({ mode, moves }) => {
    attach()
    for (let i = 0; i <= moves; i++) {
      scene.app.run(addRows(1))
      if (i < moves) await holder.move(nothing)
    }
    let answer: Promise<number[]> | undefined
    inMove = () => {
      answer = commitAndCheckpoint(mode)
    }
    await holder.move(nothing)
    await expectEnd(answer!)
  })

  it.each(MODES)('%s, begun during a move that began with nothing left to copy', async (mode) => {
    attach()
    scene.app.run('PRAGMA wal_checkpoint(PASSIVE)')
    let answer: Promise<number[]> | undefined
    await holder.move(async () => {
      answer ??= commitAndCheckpoint(mode)
    })
    await expectEnd(answer!)
  })

  it.each(MODES)('%s, begun while the database is attached anew', async (mode) => {
    attach()
    scene.app.run(addRows(1))
    let answer: Promise<number[]> | undefined
    const original = ReadHold.prototype.begin
    const spy = vi.spyOn(ReadHold.prototype, 'begin').mockImplementation(function (this: ReadHold) {
      original.call(this)
      answer ??= commitAndCheckpoint(mode)
    })
    try {
      expect(holder.attachStable()).toMatchObject({ mxFrame: files.index().mxFrame })
    } finally {
      spy.mockRestore()
    }
    holder.captured(false)
    await expectEnd(answer!)
  })

  it.each(MODES)('%s, which waited for a reader that has left', async (mode) => {
    await using reader = await Application.start()
    reader.open(scene.database)
    reader.query('BEGIN')
    reader.query('SELECT count(*) FROM t')
    // The holder begins later, so in another slot.
    scene.app.run(addRows(1))
    attach()
    await holder.move(nothing)
    const answer = commitAndCheckpoint(mode)
    reader.query('COMMIT')
    await expectEnd(answer)
  })
})
