import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { crc64 } from '@sqlstream/ltx'
import type { BlobStore } from '@sqlstream/storage'
import { expect } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { FleetOptions } from '../../src/fleet/fleet-options.ts'
import { Application } from '../scenarios/support/application.ts'
import { FleetScene } from './fleet-scene.ts'

/** A scene whose fleets know by name where their replicas are, so that a rest outlives them. */
export class ParkedScene extends FleetScene {
  static override async begin(
    wrap: (store: BlobStore) => BlobStore = (store) => store,
  ): Promise<ParkedScene> {
    return new ParkedScene(await Application.start(), wrap)
  }

  override replicate(options: Partial<FleetOptions> = {}): Promise<Fleet> {
    return super.replicate({ storeName: 'memory', ...options })
  }

  recordOf(relpath: string): string {
    const path = this.path(relpath)
    return join(dirname(path), `.${basename(path)}-sqlstream`, 'rest.json')
  }

  /**
   * A fleet that ends when all of these rest. Those that are not there are created.
   * @param before called when all rest, before it ends
   */
  async restOnce(
    names: readonly string[],
    options: Partial<FleetOptions> = {},
    before?: () => void,
  ): Promise<void> {
    for (const name of names) if (!existsSync(this.path(name))) this.create(name)
    const fleet = await this.replicate(options)
    await this.until(() => fleet.counts.resting === names.length)
    before?.()
    await fleet.close()
    for (const name of names) expect(existsSync(this.recordOf(name)), name).toBe(true)
    this.requests.length = 0
    this.events.length = 0
  }

  /** `a.db` rests, then something happens to it: the next fleet opens it, and has so many rows of it in its replica. */
  async expectOpenedAfter(act: () => unknown, rows: number): Promise<void> {
    await this.restOnce(['a.db'])
    await act()
    const fleet = await this.replicate()
    await fleet.settled()
    expect(this.states('a.db')).toContain('open')
    await fleet.durable()
    expect(await this.ask('a.db/')).toBe(rows)
  }

  /** Writes another record that is whole. */
  rewriteRecord(relpath: string, change: (record: Record<string, unknown>) => object): void {
    const path = this.recordOf(relpath)
    const [line = ''] = readFileSync(path, 'utf8').split('\n')
    const changed = JSON.stringify(change(JSON.parse(line) as Record<string, unknown>))
    const crc = crc64(new TextEncoder().encode(changed)).toString(16).padStart(16, '0')
    writeFileSync(path, `${changed}\n${crc}\n`)
  }
}
