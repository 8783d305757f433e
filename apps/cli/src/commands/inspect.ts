import { once } from 'node:events'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.ts'
import type { InspectJSON } from '../inspect/inspect-schema.ts'
import { InspectServer } from '../inspect/inspect-server.ts'
import { openBrowser } from '../inspect/open-browser.ts'
import { readPage } from '../inspect/page.ts'
import { openReplica, readCatalog } from '../open-replica.ts'

export default class Inspect extends BaseCommand {
  static override enableJsonFlag = false
  static override summary = 'Look at a replica in a browser: timeline, files, pages, proofs, SQL.'
  static override description =
    'Serves a page and, read-only, the files of the replica to the browsers of this machine, until it is stopped. The address holds a random secret: whoever has it can read the replica that long. Nothing is written anywhere, and only what is looked at is read. With --json the address is one line of JSON.'
  static override examples = [
    { description: 'Print the address of the page', command: '<%= config.bin %> inspect s3://bucket/app' },
    { description: 'Open it, too', command: '<%= config.bin %> inspect /backups/app --open' },
    {
      description: 'Over an SSH tunnel: ssh -L 8080:127.0.0.1:8080 host',
      command: '<%= config.bin %> inspect file:///backups/app --port 8080',
    },
  ]
  static override args = {
    url: Args.string({ ignoreStdin: true, required: true, description: 'URL or path of the replica' }),
  }
  static override flags = {
    port: Flags.integer({
      default: 0,
      min: 0,
      max: 65_535,
      helpValue: '<port>',
      description: 'port on 127.0.0.1; 0, the default, is any that is free',
    }),
    open: Flags.boolean({ default: false, description: 'open the page in the browser of this desktop' }),
    json: Flags.boolean({ default: false, description: 'one JSON object on standard output' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Inspect)
    const { signal } = this
    await using named = await openReplica(args.url, { signal, drivers: this.drivers })
    // A wrong URL is told here and at once, not in the browser.
    await readCatalog(named, { signal })
    await using server = await InspectServer.open({ named, page: await readPage(), port: flags.port })
    const result: InspectJSON = { source: named.location.display, url: server.url }
    // Not by `log`, which would take the secret out of the address.
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${server.url}\n`)
    if (flags.open && !(await openBrowser(server.url)))
      this.warn('there is no program to open a browser with')
    if (!signal.aborted) await once(signal, 'abort')
  }
}
