import { spawnSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compareImages } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { addRows, query, Scene } from './support/scene.ts'

const SCRIPT = fileURLToPath(new URL('./support/restore-main.ts', import.meta.url))

function restoreInChild(
  replica: string,
  target: string,
  dieBefore: number,
): { signal: string | null; stdout: string } {
  const args = ['--conditions=@sqlstream/source', SCRIPT, replica, target, `${dieBefore}`]
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal === null && status !== 0) throw new Error(stderr)
  return { signal, stdout }
}

describe('a restore that shrinks', () => {
  it('T15: killed before any truncation, sync or rename, it leaves the state before or the state after', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    scene.app.run(addRows(300, 4000))
    await primary.durable()
    const before = await scene.restore('before.db')
    scene.app.run('DELETE FROM t WHERE id > 20; VACUUM')
    await primary.durable()
    const after = await scene.restore('after.db')
    expect(after.result.commit).toBeLessThan(before.result.commit / 5)

    const replica = scene.folder.join('replica')
    const target = scene.folder.join('target.db')
    copyFileSync(before.path, target)
    const steps = JSON.parse(restoreInChild(replica, target, 0).stdout) as string[]
    expect(compareImages(target, after.path)).toMatchObject({ equal: true })
    expect(steps).toEqual(expect.arrayContaining(['writeSync', 'ftruncateSync', 'fsync', 'renameSync']))

    const outcomes = new Set<string>()
    // Writes are alike but for the last one before something else happens.
    const interesting = steps
      .map((_, i) => i)
      .filter((i) => steps[i] !== 'writeSync' || steps[i + 1] !== 'writeSync')
    for (const i of interesting) {
      copyFileSync(before.path, target)
      expect(restoreInChild(replica, target, i + 1).signal).toBe('SIGKILL')
      const isBefore = compareImages(target, before.path).equal
      const isAfter = compareImages(target, after.path).equal
      expect(isBefore || isAfter, `after a kill before step ${i + 1}, ${steps[i]}`).toBe(true)
      outcomes.add(isBefore ? 'before' : 'after')
      // The next restore is not disturbed by what the killed one has left.
      if (steps[i] === 'renameSync') {
        restoreInChild(replica, target, 0)
        expect(compareImages(target, after.path)).toMatchObject({ equal: true })
      }
    }
    expect([...outcomes].sort()).toEqual(['after', 'before'])
    expect(query(after.path, 'PRAGMA integrity_check')).toBe('ok')
    await scene.expectSamePages()
  })
})
