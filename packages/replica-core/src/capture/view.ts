import { isPageSize, type PageSize } from '@sqlstream/ltx'
import type { DatabaseHeader, WALIndexHeader } from '@sqlstream/wal'
import { PrimaryError, pageSizeChanged } from '../errors.ts'
import type { DatabaseFiles } from '../sqlite/database-files.ts'
import type { Holder } from '../sqlite/holder.ts'
import type { WriteBarrier } from '../sqlite/write-barrier.ts'
import type { WALPosition } from '../state/position.ts'
import { FrameTable } from './frame-table.ts'
import { DatabaseView } from './page-source.ts'
import { START_OF_GENERATION, type WALScan } from './scan.ts'

/** A consistent image of the live database, readable while the holder stays where it is. */
export interface LiveView {
  readonly pages: DatabaseView
  /** The place in the WAL that the image stands for. */
  readonly wal: WALPosition
  /** The image is wholly in the database file: the WAL may be restarted without harm. */
  readonly backfilled: boolean
  /** To be called once the pages were read for their checksums: verifies the frames behind them once more. */
  proveAgain(): void
}

/** What a view is taken of. */
export interface ViewContext {
  readonly files: DatabaseFiles
  readonly holder: Holder
  readonly barrier: WriteBarrier
  readonly pageSize: PageSize
}

/**
 * Moves the holder to the newest commit, without a guard: what comes after is compared page by page.
 *
 * @throws PrimaryError `busy`, `page-size-changed`, `wal-discontinuous`
 */
export async function takeView(context: ViewContext, scan: WALScan): Promise<LiveView> {
  const { files } = context
  const index = await attach(context)
  const header = files.databaseHeader()
  const pageSize = index.pageSize || header.pageSize
  if (pageSize !== context.pageSize || !isPageSize(pageSize)) throw pageSizeChanged(pageSize)
  const overlay = new FrameTable()
  const backfilled = index.backfill >= index.mxFrame
  const start: WALPosition = { salt1: index.salt1, salt2: index.salt2, ...START_OF_GENERATION }
  if (!backfilled) scan.scan(start, index, overlay, Number.POSITIVE_INFINITY)
  const wal: WALPosition = {
    salt1: index.salt1,
    salt2: index.salt2,
    frame: index.mxFrame,
    checksum1: index.frameChecksum1,
    checksum2: index.frameChecksum2,
  }
  const commit = index.pageCount || sizeWithoutWAL(files, header)
  return {
    pages: new DatabaseView(files, pageSize, commit, overlay),
    wal,
    backfilled,
    proveAgain() {
      if (!backfilled) scan.again(start, wal, index, overlay)
    },
  }
}

/** A writer that never pauses is kept out for the moment of one begin. */
async function attach({ holder, barrier }: ViewContext): Promise<WALIndexHeader> {
  let index = holder.attachStable()
  if (index !== undefined) return index
  await barrier.hold(async () => {
    index = holder.attachStable()
  })
  if (index !== undefined) return index
  throw new PrimaryError('busy', 'the application writes without pause and holds the write lock')
}

/** As SQLite counts pages before the first frame: by the header if it is current, else by the file's size. */
function sizeWithoutWAL(files: DatabaseFiles, header: DatabaseHeader): number {
  const isCurrent = header.changeCounter === header.versionValidFor
  return (isCurrent ? header.pageCount : 0) || Math.floor(files.databaseSize() / header.pageSize)
}
