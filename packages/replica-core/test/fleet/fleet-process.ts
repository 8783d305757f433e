import { setTimeout as sleep } from 'node:timers/promises'
import { SourceProcess } from '../support/source-process.ts'
import type { FleetArguments, FleetMessage } from './writing-fleet-main.ts'

/** A fleet in a process of its own, to be killed. */
export class FleetProcess extends SourceProcess<FleetMessage> {
  constructor(options: FleetArguments) {
    super(new URL('./writing-fleet-main.ts', import.meta.url), options)
  }

  /** Of which databases whole images were taken, and why. */
  get snapshots(): string[] {
    return this.messages.flatMap((message) =>
      'snapshot' in message ? [`${message.of}: ${message.snapshot}`] : [],
    )
  }

  /** Which databases were refused, and why. */
  get refusals(): string[] {
    return this.messages.flatMap((message) =>
      'refused' in message ? [`${message.of}: ${message.refused}`] : [],
    )
  }

  /** The newest state of a database. */
  stateOf(name: string): string | undefined {
    return this.messages.findLast((message) => 'state' in message && message.of === name)?.['state' as never]
  }

  /** @throws Error when it ends before */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.gone) throw new Error(`it has ended: ${this.stderr}`)
      await sleep(5)
    }
  }
}
