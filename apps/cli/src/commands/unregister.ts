import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import type { ChangeJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags, timeoutFlag, timeoutOf } from '../control-command.ts'
import { EXIT } from '../exit-codes.ts'
import { changeLines } from '../output/change.ts'

export default class Unregister extends ControlCommand {
  static override summary = 'Stop the replication of a database and forget it.'
  static override description =
    'As "stop", and the process does not know it any more. Its replica stays as it is. A database of the configuration file is known again after the next start; one of a folder can only be stopped.'
  static override examples = [
    { description: 'A tenant has gone', command: '<%= config.bin %> unregister tenants/acme.db' },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, required: true, description: 'path of the database' }),
  }
  static override flags = { ...controlFlags, ...timeoutFlag }

  async run(): Promise<ChangeJSON> {
    const { args, flags } = await this.parse(Unregister)
    const timeoutMs = timeoutOf(flags.timeout)
    const client = await this.process(flags.socket, args.database)
    const body = { database: resolve(args.database), timeoutMs }
    const result = await client.call('unregister', body, this.signal)
    for (const line of changeLines(result)) this.log(line)
    if (result.pendingFiles > 0) process.exitCode = EXIT.interrupted
    return result
  }
}
