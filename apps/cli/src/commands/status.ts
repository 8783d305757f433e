import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { formatChecksum, formatTXID, type TXID } from '@sqlstream/ltx'
import { headOf } from '@sqlstream/replica'
import { type LocalStatus, readStatus } from '@sqlstream/replica-core'
import { CLIError } from '../cli-error.ts'
import type { LiveStatusJSON } from '../control/api-schema.ts'
import { ControlCommand, controlFlags } from '../control-command.ts'
import { folderStatusLines, readFolderStatus } from '../folder-status.ts'
import { checkPatterns } from '../folders.ts'
import { lastProof, proofText } from '../last-proof.ts'
import { allFiles, openReplica, readCatalog } from '../open-replica.ts'
import { liveStatusLines } from '../output/live-status.ts'
import { formatBytes, formatCount } from '../output/units.ts'
import type { FolderStatusJSON, StatusJSON } from '../status-schema.ts'

/** It answers from memory. */
const LIVE_LIMIT_MS = 30_000

type ReplicaStatus = NonNullable<StatusJSON['replica']>

export default class Status extends ControlCommand {
  static override summary = 'Show how the replication of a database stands.'
  static override description =
    'Reads the local state without opening the database, so it disturbs nobody. With a URL it also asks the replica what has arrived there, and which state was proven last. Of a folder it shows all databases, those first that wait for longest. With --live a running process is asked, about all that it replicates.'
  static override examples = [
    { description: 'What is captured, what waits', command: '<%= config.bin %> status app.db' },
    { description: 'Every database of a folder', command: '<%= config.bin %> status --watch /srv/tenants' },
    { description: 'What a running process knows', command: '<%= config.bin %> status --live' },
    { description: 'And what has arrived', command: '<%= config.bin %> status app.db file:///backups/app' },
  ]
  static override args = {
    database: Args.string({ ignoreStdin: true, description: 'path of the database, or of a folder' }),
    url: Args.string({ ignoreStdin: true, description: 'URL or path of its replica' }),
  }
  static override flags = {
    watch: Flags.string({ description: 'every database of this folder' }),
    include: Flags.string({
      multiple: true,
      description: 'pattern of names in a folder, or of paths below it; default: every database',
    }),
    exclude: Flags.string({
      multiple: true,
      description: 'pattern of what is left out of a folder, folders too',
    }),
    'no-recursive': Flags.boolean({ description: 'of a folder only what is in it itself' }),
    live: Flags.boolean({
      exclusive: ['watch', 'include', 'exclude', 'no-recursive', 'state-dir'],
      description: 'what the running process knows, of all of its databases or of this one',
    }),
    ...controlFlags,
    'state-dir': Flags.string({
      exclusive: ['watch'],
      description: 'folder for local state, default .<database>-sqlstream beside the database',
    }),
  }

  async run(): Promise<StatusJSON | FolderStatusJSON | LiveStatusJSON> {
    const { args, flags } = await this.parse(Status)
    const { database } = args
    if (flags.live) return this.#live(database, args.url, flags.socket)
    const stateDir = flags['state-dir']
    const folder =
      flags.watch ?? (database !== undefined && (await isFolder(database)) ? database : undefined)
    if (folder !== undefined) {
      const words = flags.watch === undefined ? args.url : database
      if (words !== undefined || stateDir !== undefined)
        throw new CLIError(
          'usage',
          'a folder takes neither a URL nor --state-dir',
          'sqlstream status --watch <dir>',
        )
      return this.#folder(folder, {
        include: flags.include,
        exclude: flags.exclude,
        recursive: !flags['no-recursive'],
      })
    }
    if (database === undefined)
      throw new CLIError(
        'usage',
        'a database or a folder is missing',
        'sqlstream status <db>, or --watch <dir>; --live asks a running process about all of its own',
      )
    const local = await readStatus(database, stateDir === undefined ? {} : { stateDir })
    if (local === undefined) await assertExists(database)
    const replica = args.url === undefined ? undefined : await this.#replica(args.url, local?.captured?.txid)
    const result: StatusJSON = {
      database,
      replicated: local?.captured !== undefined,
      running: local?.running ?? false,
      ...(local === undefined ? {} : localJSON(local)),
      ...(replica === undefined ? {} : { replica }),
    }
    this.#print(result)
    return result
  }

  async #live(
    database: string | undefined,
    url: string | undefined,
    socket: string | undefined,
  ): Promise<LiveStatusJSON> {
    if (url !== undefined)
      throw new CLIError('usage', '--live takes no URL', 'sqlstream status <db> <url> asks the replica')
    const client = await this.process(socket, database)
    const path = database === undefined ? undefined : resolve(database)
    const status = await client.status(path, { signal: this.signal, limitMs: LIVE_LIMIT_MS })
    for (const line of liveStatusLines(status)) this.log(line)
    return status
  }

  async #folder(
    path: string,
    {
      include,
      exclude,
      recursive,
    }: { include: string[] | undefined; exclude: string[] | undefined; recursive: boolean },
  ): Promise<FolderStatusJSON> {
    if (!(await isFolder(path))) throw new CLIError('file-missing', `there is no folder ${path}`)
    const patterns = { ...(include && { include }), ...(exclude && { exclude }) }
    checkPatterns(patterns)
    const status = await readFolderStatus(resolve(path), { ...patterns, recursive, signal: this.signal })
    for (const line of folderStatusLines(status)) this.log(line)
    return status
  }

  async #replica(url: string, captured: TXID | undefined): Promise<ReplicaStatus> {
    await using named = await openReplica(url, { signal: this.signal, drivers: this.drivers })
    const catalog = await readCatalog(named, { signal: this.signal })
    const files = allFiles(catalog)
    const head = headOf(catalog)
    const proof = await lastProof(named.store, { signal: this.signal })
    return {
      source: named.location.display,
      files: files.length,
      bytes: files.reduce((sum, file) => sum + file.size, 0),
      ...(head === undefined ? {} : { head: formatTXID(head) }),
      position: compare(captured, head),
      ...(proof && { proof }),
    }
  }

  #print(status: StatusJSON): void {
    const { captured, replica } = status
    const resting = 'at rest since all of it was in its replica'
    const state = status.running
      ? 'being replicated now'
      : status.resting
        ? resting
        : 'no replicator is running'
    this.log(`${status.database}: ${state}`)
    if (captured === undefined) this.log('  nothing was captured from here yet')
    else {
      this.log(`  captured up to TXID ${captured.txid}, state of ${status.timestamp}`)
      const waiting = status.pendingFiles ?? 0
      if (waiting > 0) {
        this.log(
          `  ${formatCount(waiting, 'file')} (${formatBytes(status.pendingBytes ?? 0)}) wait for upload`,
        )
      }
      if (status.givenUp)
        this.log(
          '  captures were given up for want of disk space: the replica lacks them until all pages were compared',
        )
    }
    if (replica === undefined) return
    const size = `${formatCount(replica.files, 'file')}, ${formatBytes(replica.bytes)}`
    this.log(
      `  ${replica.source}: up to TXID ${replica.head ?? '-'}, ${size}${POSITION_TEXT[replica.position]}`,
    )
    this.log(`  ${proofText(replica.proof)}`)
  }
}

const POSITION_TEXT: Readonly<Record<ReplicaStatus['position'], string>> = {
  unknown: '',
  equal: '; holds everything that was captured',
  behind: '; has not received everything yet',
  ahead: '; is ahead of this database',
}

function compare(captured: TXID | undefined, head: TXID | undefined): ReplicaStatus['position'] {
  if (captured === undefined || head === undefined) return 'unknown'
  if (captured === head) return 'equal'
  return head < captured ? 'behind' : 'ahead'
}

function localJSON(local: LocalStatus): Partial<StatusJSON> {
  const { captured, timestamp, databaseBytes } = local
  return {
    stateDir: local.stateDir,
    pendingFiles: local.pendingFiles,
    pendingBytes: local.pendingBytes,
    ...(local.resting && { resting: true }),
    ...(local.givenUp && { givenUp: true }),
    ...(captured === undefined
      ? {}
      : {
          captured: {
            txid: formatTXID(captured.txid),
            postApplyChecksum: formatChecksum(captured.postApplyChecksum),
          },
        }),
    ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp).toISOString() }),
    ...(databaseBytes === undefined ? {} : { databaseBytes }),
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

async function assertExists(path: string): Promise<void> {
  await access(path).catch(() => {
    throw new CLIError('file-missing', `there is no database ${path}`)
  })
}
