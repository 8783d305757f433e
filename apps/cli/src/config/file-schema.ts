import { z } from 'zod'
import { byteSize, duration, mapping, scalar, text, truth } from './file-values.ts'
import { maintenanceSettings } from './maintenance-schema.ts'

const lease = z
  .strictObject(
    {
      ttl: duration.describe('how long a lease holds without renewal').optional(),
      soleWriter: truth
        .describe('you answer for it that nobody else writes there: for stores without conditional puts')
        .optional(),
    },
    mapping,
  )
  .describe('how the single writer of the replica is made sure of')

const settings = {
  syncInterval: duration.describe('longest time between a commit and its capture, default 1s').optional(),
  onBehind: z
    .enum(['refuse', 'snapshot'], { error: 'expected refuse or snapshot' })
    .describe('when the replica is ahead of the database')
    .optional(),
  onDiverged: z
    .enum(['refuse', 'snapshot'], { error: 'expected refuse or snapshot' })
    .describe(
      'when the replica holds another history: the database was never replicated from here, or another writer has taken over',
    )
    .optional(),
  lease: lease.optional(),
  ...maintenanceSettings,
  store: z
    .record(z.string(), scalar, mapping)
    .describe('options of the store, the same as query parameters of its URL')
    .optional(),
  env: z
    .record(z.string(), scalar, mapping)
    .describe('variables for the storage driver, credentials above all, over those of the process')
    .optional(),
}

const database = z.strictObject(
  {
    path: text('the path of a database').describe('relative to the folder of this file'),
    url: text('the URL or path of a replica').describe(
      'a relative path is relative to the folder of this file',
    ),
    stateDir: text('the path of a folder').describe('folder for local state').optional(),
    ...settings,
  },
  mapping,
)

const patterns = z.array(text('a pattern'), { error: 'expected a list of patterns' })

const folder = z.strictObject(
  {
    path: text('the path of a folder').describe('relative to the folder of this file'),
    url: text('the URL or path of replicas').describe(
      'with {relpath}, {dir}, {name} or {stem}; without any, /{relpath} is added',
    ),
    include: patterns
      .describe('patterns of names, or of paths below the folder; default: every database')
      .optional(),
    exclude: patterns.describe('patterns of what is left out, folders too').optional(),
    recursive: truth.describe('folders in it too, default true').optional(),
    maxOpen: z
      .int({ error: 'expected a whole number' })
      .min(1, 'expected a whole number from 1')
      .describe('databases that may be open at once, default 1000')
      .optional(),
    restAfter: duration
      .describe('a database that sees no commit for so long is let go until the next one, default 1m')
      .optional(),
    ...settings,
  },
  mapping,
)

const whole = z.int({ error: 'expected a whole number' }).min(1, 'expected a whole number from 1')

const limits = z
  .strictObject(
    {
      spool: byteSize
        .describe('disk space for captures that wait for their upload, default half of what is free')
        .optional(),
      diskReserve: byteSize
        .describe('disk space left to the application, default a twentieth of the disk, 256MiB at most')
        .optional(),
      uploads: whole.describe('files that are uploaded at once, default 64').optional(),
      merges: whole.describe('databases whose files are merged and removed at once, default 4').optional(),
      uploadMemory: byteSize.describe('files that are in memory to be uploaded, default 256MiB').optional(),
      requestsPerSecond: whole
        .describe('calls of stores in a second; databases take turns; default: no limit')
        .optional(),
      monthlyRequests: whole.describe('warn when a month would take more calls of stores').optional(),
    },
    mapping,
  )
  .describe('what all databases of the process may take together')

/** `sqlstream.yml`, after variables were put in. Its JSON Schema is for editors. */
export const configFile = z.strictObject(
  {
    drivers: z
      .array(text('the name of a package'), { error: 'expected a list of package names' })
      .describe('packages with storage drivers that are not built in')
      .optional(),
    socket: text('the path of a socket, or never')
      .describe('where commands are taken while it runs, relative to the folder of this file; never: nowhere')
      .optional(),
    metrics: z
      .union(
        [
          scalar,
          z.strictObject(
            {
              listen: scalar.describe('a port of this machine, or an address and a port'),
              perDatabase: truth
                .describe('a number for each database too, of which there may be many; default false')
                .optional(),
            },
            mapping,
          ),
        ],
        { error: 'expected a port, an address and a port, or a mapping' },
      )
      .describe('where figures are offered to Prometheus while it runs; default: nowhere')
      .optional(),
    limits: limits.optional(),
    exec: z
      .union([text('a command'), z.array(scalar).min(1, 'expected a program and its arguments')], {
        error: 'expected a command, or a list of a program and its arguments',
      })
      .describe(
        'the application that sqlstream run starts: a list of a program and its arguments, or both as one text, which is split into words, without a shell',
      )
      .optional(),
    ...maintenanceSettings,
    databases: z
      .array(database, { error: 'expected a list of databases' })
      .describe('what is replicated, and where to')
      .optional(),
    folders: z
      .array(folder, { error: 'expected a list of folders' })
      .describe('folders of which every database is replicated')
      .optional(),
  },
  mapping,
)
export type ConfigFile = z.infer<typeof configFile>
