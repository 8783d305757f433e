import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import type { SyncJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags, timeoutFlag, timeoutOf } from '../control-command.ts'
import { formatDuration } from '../output/units.ts'

const LONGEST_MS = 2 ** 31 - 1

export default class Sync extends ControlCommand {
  static override summary = 'Have everything that is committed by now in the replica.'
  static override description =
    'Asks the process that replicates the database, and ends when every transaction that was committed before is durably in the replica: before a deploy, or after something that must not be lost. Nothing else is needed for a backup; commits are uploaded all the time.'
  static override examples = [
    { description: 'Before a machine is taken away', command: '<%= config.bin %> sync app.db' },
    { description: 'However long it takes', command: '<%= config.bin %> sync app.db --wait' },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, required: true, description: 'path of the database' }),
  }
  static override flags = {
    ...controlFlags,
    ...timeoutFlag,
    wait: Flags.boolean({ default: false, description: 'as long as it takes, instead of --timeout' }),
  }

  async run(): Promise<SyncJSON> {
    const { args, flags } = await this.parse(Sync)
    const timeoutMs = flags.wait ? LONGEST_MS : timeoutOf(flags.timeout)
    const client = await this.process(flags.socket, args.database)
    const body = { database: resolve(args.database), timeoutMs }
    const result = await client.call('sync', body, this.signal)
    const { database, replica, txid, milliseconds } = result
    this.log(`${database}: in ${replica} up to TXID ${txid}, after ${formatDuration(milliseconds)}`)
    return result
  }
}
