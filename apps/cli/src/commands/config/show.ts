import { Args } from '@oclif/core'
import { redactUrl } from '@sqlstream/storage'
import { BaseCommand } from '../../base-command.ts'
import type { ConfigShowJSON } from '../../check-schema.ts'
import type { DatabaseConfig, FolderConfig } from '../../config/config.ts'
import { maintenanceJSON, maintenanceLines } from '../../output/maintenance.ts'
import { formatDuration } from '../../output/units.ts'

export default class ConfigShow extends BaseCommand {
  static override summary = 'Show what a configuration file means.'
  static override description =
    'Shows each database with its replica and options after variables were put in, paths made absolute, and a litestream.yml was translated. Credentials are replaced by ***; no value of "env" is shown.'
  static override examples = [
    { description: 'What replicate would do', command: '<%= config.bin %> config show' },
    {
      description: 'What becomes of a file of Litestream',
      command: '<%= config.bin %> config show litestream.yml',
    },
  ]
  static override args = {
    file: Args.string({
      ignoreStdin: true,
      description: 'configuration file, default ./sqlstream.yml, then /etc/sqlstream.yml',
    }),
  }

  async run(): Promise<ConfigShowJSON> {
    const { args } = await this.parse(ConfigShow)
    const { neededConfigFile, usableConfig } = await import('../../config/read-config.ts')
    const result = await neededConfigFile(args.file ?? this.configFile)
    const config = usableConfig(result)
    const shown: ConfigShowJSON = {
      file: result.file,
      format: result.format,
      drivers: [...config.drivers],
      ...(config.socket !== undefined && { socket: config.socket }),
      ...(config.metrics !== undefined && { metrics: config.metrics }),
      ...(config.limits !== undefined && { limits: config.limits }),
      ...(config.exec !== undefined && { exec: [...config.exec] }),
      databases: config.databases.map(shownSettings),
      folders: config.folders.map(shownFolder),
    }
    this.log(`${shown.file} (${shown.format})`)
    if (shown.drivers.length > 0) this.log(`  drivers: ${shown.drivers.join(', ')}`)
    if (shown.socket !== undefined) this.log(`  socket: ${shown.socket}`)
    if (shown.metrics !== undefined)
      this.log(
        `  metrics: ${shown.metrics.listen}${shown.metrics.perDatabase ? ', for each database too' : ''}`,
      )
    for (const [name, value] of Object.entries(shown.limits ?? {})) this.log(`  limit: ${name} ${value}`)
    if (shown.exec !== undefined)
      this.log(`  application of sqlstream run: ${shown.exec.map(spelled).join(' ')}`)
    const lines = [...shown.databases.flatMap(linesOf), ...shown.folders.flatMap(folderLines)]
    for (const line of lines) this.log(`  ${line}`)
    return shown
  }
}

/** A word as it may be typed. */
function spelled(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

type Shown = ConfigShowJSON['databases'][number]
type ShownFolder = ConfigShowJSON['folders'][number]

function shownFolder({ include, exclude, ...folder }: FolderConfig): ShownFolder {
  return {
    ...shownSettings(folder),
    ...(include && { include: [...include] }),
    ...(exclude && { exclude: [...exclude] }),
  }
}

function folderLines(folder: ShownFolder): string[] {
  const { include, exclude, recursive, maxOpen, restAfterMs, ...rest } = folder
  const [first = '', ...more] = linesOf(rest)
  const own = [
    ...(include === undefined ? [] : [`only ${include.join(', ')}`]),
    ...(exclude === undefined ? [] : [`without ${exclude.join(', ')}`]),
    ...(recursive === false ? ['not the folders in it'] : []),
    ...(maxOpen === undefined ? [] : [`at most ${maxOpen} open`]),
    ...(restAfterMs === undefined ? [] : [`at rest after ${formatDuration(restAfterMs)}`]),
  ]
  return [`databases in ${first}`, ...own.map((option) => `  ${option}`), ...more]
}

function shownSettings<T extends Omit<DatabaseConfig, 'stateDir'>>({
  path,
  url,
  lease,
  environment,
  maintenance,
  ...options
}: T) {
  return {
    path,
    url: redactUrl(url),
    ...options,
    ...(maintenance && maintenanceJSON(maintenance)),
    lease,
    environment: Object.fromEntries(Object.keys(environment).map((name) => [name, '***' as const])),
  }
}

function linesOf({
  path,
  url,
  syncIntervalMs,
  onBehind,
  onDiverged,
  stateDir,
  lease,
  environment,
  ...maintenance
}: Shown): string[] {
  const options = [
    ...(syncIntervalMs === undefined ? [] : [`sync interval ${formatDuration(syncIntervalMs)}`]),
    ...(onBehind === undefined ? [] : [`on behind: ${onBehind}`]),
    ...(onDiverged === undefined ? [] : [`on diverged: ${onDiverged}`]),
    ...(stateDir === undefined ? [] : [`local state in ${stateDir}`]),
    ...maintenanceLines(maintenance),
    ...(lease.ttlMs === undefined ? [] : [`lease of ${formatDuration(lease.ttlMs)}`]),
    ...(lease.soleWriter === true ? ['sole writer'] : []),
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  ]
  return [`${path} -> ${url}`, ...options.map((option) => `  ${option}`)]
}
