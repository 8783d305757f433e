import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import type { ChangeJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags, timeoutFlag, timeoutOf } from '../control-command.ts'
import { EXIT } from '../exit-codes.ts'
import { changeLines } from '../output/change.ts'

export default class Stop extends ControlCommand {
  static override summary = 'Let a database go, with everything in its replica.'
  static override description =
    'Captures and uploads what is left, closes the database, and gives the lease of its replica back, while the process goes on with the others. The application may go on too; what it commits from then on is not backed up before "start". What is not uploaded in time stays beside the database; then the exit code is 130.'
  static override examples = [
    { description: 'Before the file is replaced', command: '<%= config.bin %> stop app.db' },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, required: true, description: 'path of the database' }),
  }
  static override flags = { ...controlFlags, ...timeoutFlag }

  async run(): Promise<ChangeJSON> {
    const { args, flags } = await this.parse(Stop)
    const timeoutMs = timeoutOf(flags.timeout)
    const client = await this.process(flags.socket, args.database)
    const result = await client.call('stop', { database: resolve(args.database), timeoutMs }, this.signal)
    for (const line of changeLines(result)) this.log(line)
    if (result.pendingFiles > 0) process.exitCode = EXIT.interrupted
    return result
  }
}
