import { Args } from '@oclif/core'
import { BaseCommand } from '../../base-command.ts'
import type { ConfigCheckJSON } from '../../check-schema.ts'
import { CLIError } from '../../cli-error.ts'
import { EXIT } from '../../exit-codes.ts'
import { describeFailure } from '../../failure.ts'
import { foldersFromConfig } from '../../folders.ts'
import { formatCount } from '../../output/units.ts'
import { pairsFromConfig } from '../../pairs.ts'

export default class ConfigCheck extends BaseCommand {
  static override summary = 'Check a configuration file.'
  static override description =
    'Finds unknown keys, wrong values, variables that are not set, storage drivers that are missing or in conflict, and URLs that no driver takes. Opens no database and asks no store. A litestream.yml is taken as well, and what it says that is not heeded is listed.'
  static override examples = [
    { description: 'The file that replicate would take', command: '<%= config.bin %> config check' },
    {
      description: 'Another one, for a script',
      command: '<%= config.bin %> config check litestream.yml --json',
    },
  ]
  static override args = {
    file: Args.string({
      ignoreStdin: true,
      description: 'configuration file, default ./sqlstream.yml, then /etc/sqlstream.yml',
    }),
  }

  async run(): Promise<ConfigCheckJSON> {
    const { args } = await this.parse(ConfigCheck)
    const { neededConfigFile, noteText } = await import('../../config/read-config.ts')
    const result = await neededConfigFile(args.file ?? this.configFile)
    const problems = [...result.problems]
    if (result.config !== undefined) {
      this.useDriversOf(result)
      try {
        await pairsFromConfig(result.config, this.drivers, { lease: {} })
        await foldersFromConfig(result.config, this.drivers, { lease: {} })
      } catch (error) {
        if (!(error instanceof CLIError)) throw error
        const { message, hint } = describeFailure(error)
        problems.push({ key: '', message, ...(hint === undefined ? {} : { hint }) })
      }
    }
    for (const [kind, notes] of [
      ['error', problems],
      ['warning', result.warnings],
    ] as const) {
      for (const note of notes) {
        this.log(`${kind}: ${noteText(result.file, note)}${note.hint === undefined ? '' : `; ${note.hint}`}`)
      }
    }
    const databases = result.config?.databases.length ?? 0
    const folders = result.config?.folders.length ?? 0
    const found = [
      ...(databases > 0 || folders === 0 ? [formatCount(databases, 'database')] : []),
      ...(folders > 0 ? [formatCount(folders, 'folder')] : []),
    ]
    const verdict =
      problems.length === 0 ? `right: ${found.join(', ')}` : formatCount(problems.length, 'error')
    this.log(`${result.file} (${result.format}): ${verdict}`)
    if (problems.length > 0) process.exitCode = EXIT.usage
    const { file, format, warnings } = result
    return { file, format, ok: problems.length === 0, databases, folders, problems, warnings: [...warnings] }
  }
}
