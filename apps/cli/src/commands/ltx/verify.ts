import { Args } from '@oclif/core'
import { Decoder, formatChecksum } from '@sqlstream/ltx'
import { BaseCommand } from '../../base-command.ts'
import { EXIT } from '../../exit-codes.ts'
import { describeFailure } from '../../failure.ts'
import { openLTXSource } from '../../ltx-source.ts'
import { formatCount } from '../../output/units.ts'
import type { LTXVerifyJSON } from '../../schema.ts'

type FileReport = LTXVerifyJSON['files'][number]

export default class LTXVerify extends BaseCommand {
  static override summary = 'Check LTX files on disk, byte by byte.'
  static override description =
    'Every page is decompressed, the page index compared, and the checksum of the file computed. All files are checked even when one is corrupt. To check a whole replica: sqlstream verify.'
  static override examples = [
    {
      description: 'All captures of a backup folder',
      command: '<%= config.bin %> ltx verify /backups/app/ltx/0/*.ltx',
    },
  ]
  static override args = {
    files: Args.string({ ignoreStdin: true, required: true, multiple: true, description: 'LTX files' }),
  }

  async run(): Promise<LTXVerifyJSON> {
    const { args } = await this.parse(LTXVerify)
    const files: FileReport[] = []
    let exit: number = EXIT.ok
    for (const path of args.files) {
      const { report, exit: code } = await this.#check(path)
      files.push(report)
      exit ||= code
      const problem = report.error === undefined ? 'ok' : `${report.error.message} (${report.error.code})`
      this.log(
        `${path}: ${problem}${report.pages === undefined ? '' : `, ${formatCount(report.pages, 'page')}`}`,
      )
    }
    if (exit !== EXIT.ok) process.exitCode = exit
    return { ok: exit === EXIT.ok, files }
  }

  async #check(path: string): Promise<{ report: FileReport; exit: number }> {
    try {
      await using source = await openLTXSource(path, undefined, {
        signal: this.signal,
        drivers: this.drivers,
      })
      const decoder = await Decoder.open(source.stream(), { signal: this.signal })
      let pages = 0
      for await (const batch of decoder.batches()) pages += batch.count
      const { fileChecksum } = await decoder.finish()
      return {
        report: { file: path, ok: true, pages, fileChecksum: formatChecksum(fileChecksum) },
        exit: EXIT.ok,
      }
    } catch (error) {
      this.signal.throwIfAborted()
      const { message, code, exit } = describeFailure(error)
      return { report: { file: path, ok: false, error: { message, code } }, exit }
    }
  }
}
