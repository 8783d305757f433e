import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, expect, it, vi } from 'vitest'
import { pathMatcher } from '../../src/fleet/match-path.ts'
import { FleetScene } from './fleet-scene.ts'

afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

it('F13: two fleets with a part each replicate every database of a folder once, and open none of the other', async () => {
  await using scene = await FleetScene.begin()
  const names = Array.from({ length: 12 }, (_, i) => `x${i % 2}/${i}.db`)
  for (const name of names) scene.create(name)
  const opened = new Set<string>()
  const { openSync } = fs
  vi.spyOn(fs, 'openSync').mockImplementation((path, ...rest) => {
    opened.add(String(path))
    return openSync(path, ...rest)
  })
  syncBuiltinESMExports()
  const part = (index: number) => ({ path: scene.root, partition: { index, of: 2 } })
  const first = await scene.replicate({ folder: part(0) })
  expect(await first.durable()).toEqual([])
  const own = names.filter((name) => pathMatcher({ partition: { index: 0, of: 2 } }).file(name))
  expect(own.length).toBeGreaterThan(0)
  expect(own.length).toBeLessThan(names.length)
  expect(Array.from(first.members, ({ database }) => database.relpath).sort()).toEqual(own.toSorted())
  for (const name of names) expect(opened.has(scene.path(name)), name).toBe(own.includes(name))
  // Also when it is written while both look, and when it comes later.
  const second = await scene.replicate({ folder: part(1) })
  const late = Array.from({ length: 6 }, (_, i) => `late${i}.db`)
  for (const name of late) scene.create(name)
  await scene.until(
    () => [...first.members].length + [...second.members].length === names.length + late.length,
  )
  for (const name of [...names, ...late]) scene.add(name)
  for (const fleet of [first, second]) expect(await fleet.durable()).toEqual([])
  for (const name of [...names, ...late]) expect(await scene.ask(`${name}/`), name).toBe(2)
  const paths = [first, second].flatMap(({ members }) => Array.from(members, ({ database }) => database.path))
  expect(new Set(paths).size).toBe(names.length + late.length)
})
