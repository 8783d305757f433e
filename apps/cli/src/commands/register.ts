import { resolve } from 'node:path'
import { Args } from '@oclif/core'
import type { ChangeJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags, timeoutFlag, timeoutOf } from '../control-command.ts'
import { schemeOf } from '../location.ts'
import { changeLines } from '../output/change.ts'

export default class Register extends ControlCommand {
  static override summary = 'Have a running process replicate one more database.'
  static override description =
    'For the life of that process: nothing is written into a configuration file, and after its end nobody knows of it. The lines to add there are printed. Options are those of the flags that the process was started with, credentials those of its environment.'
  static override examples = [
    {
      description: 'A new tenant',
      command: '<%= config.bin %> register tenants/acme.db s3://bucket/tenants/acme',
    },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, required: true, description: 'path of the database' }),
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of its replica' }),
  }
  static override flags = { ...controlFlags, ...timeoutFlag }

  async run(): Promise<ChangeJSON> {
    const { args, flags } = await this.parse(Register)
    const timeoutMs = timeoutOf(flags.timeout)
    const database = resolve(args.database)
    // A path is meant from here, not from the folder of the process.
    const url = schemeOf(args.url) === undefined ? resolve(args.url) : args.url
    const client = await this.process(flags.socket)
    const answer = await client.call('register', { database, url, timeoutMs }, this.signal)
    const added = `databases:\n  - path: ${JSON.stringify(database)}\n    url: ${JSON.stringify(answer.replica)}`
    const result = answer.outcome === 'registered' ? { ...answer, configuration: added } : answer
    for (const line of changeLines(result)) this.log(line)
    return result
  }
}
