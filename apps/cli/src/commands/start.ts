import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import type { ChangeJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags, timeoutFlag, timeoutOf } from '../control-command.ts'
import { changeLines } from '../output/change.ts'

export default class Start extends ControlCommand {
  static override summary = 'Take up the replication of a database again.'
  static override description =
    'For one that was stopped, or that another writer had fenced off. What was committed meanwhile is found by comparison and captured. Does nothing when it is being replicated.'
  static override examples = [
    { description: 'After the maintenance', command: '<%= config.bin %> start app.db' },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, required: true, description: 'path of the database' }),
  }
  static override flags = { ...controlFlags, ...timeoutFlag }

  async run(): Promise<ChangeJSON> {
    const { args, flags } = await this.parse(Start)
    const timeoutMs = timeoutOf(flags.timeout)
    const client = await this.process(flags.socket, args.database)
    const result = await client.call('start', { database: resolve(args.database), timeoutMs }, this.signal)
    for (const line of changeLines(result)) this.log(line)
    return result
  }
}
