import { describe, expect, test } from 'vitest'
import { type DatabaseConfig, formatPath } from '../src/config/config.ts'
import { fromLitestream, type LitestreamResult } from '../src/config/from-litestream.ts'
import { type LitestreamFile, litestreamFile } from '../src/config/litestream-schema.ts'
import { Drivers } from '../src/drivers.ts'

const places = { folder: '/srv', home: '/users/me' }

function map(file: unknown): LitestreamResult {
  return fromLitestream(litestreamFile.parse(file) as LitestreamFile, places)
}

/** What becomes of one replica, with settings at the top of the file. */
function mapReplica(replica: object, top: object = {}): Partial<DatabaseConfig> {
  const { config, problems } = map({ ...top, dbs: [{ path: '/a.db', replica }] })
  expect(problems).toEqual([])
  const { path: _, lease, ...rest } = config.databases[0]!
  expect(lease).toEqual({})
  return rest
}

const none = {}

/** 32 bytes in base64, with a plus and a slash. */
const KEY = Buffer.alloc(32, 0xfb).fill(0xff, 4, 9).toString('base64')

const S3_SETTINGS = {
  'access-key-id': 'id',
  'secret-access-key': 'secret',
  endpoint: 'http://localhost:9000',
  region: 'eu-west-1',
  'force-path-style': true,
  'skip-verify': true,
  'sign-payload': false,
  'require-content-md5': false,
  'storage-class': 'STANDARD_IA',
  'part-size': '10MiB',
  concurrency: 3,
  'sse-kms-key-id': 'key',
}

const AZURE_SETTINGS = {
  'account-name': 'acc',
  'account-key': 'a2V5',
  'sas-token': 'sv=1&sig=x',
  endpoint: 'http://127.0.0.1:10000/acc',
}

describe('a replica', () => {
  test.each<[string, object, string, Record<string, string>]>([
    // Files.
    ['a path', { path: '/backups/app' }, '/backups/app', none],
    ['type file', { type: 'file', path: 'backups/app' }, 'backups/app', none],
    ['a file URL', { url: 'file:///backups/app' }, 'file:///backups/app', none],
    ['a name, which means nothing', { name: 'x', path: '/b' }, '/b', none],
    // S3.
    ['an S3 URL', { url: 's3://bucket/app' }, 's3://bucket/app', none],
    ['type s3', { type: 's3', bucket: 'bucket', path: 'app' }, 's3://bucket/app', none],
    ['type s3 and a slash', { type: 's3', bucket: 'bucket', path: '/app' }, 's3://bucket/app', none],
    ['type s3 without path', { type: 's3', bucket: 'bucket' }, 's3://bucket', none],
    [
      'every setting of S3',
      {
        url: 's3://bucket/app',
        ...S3_SETTINGS,
      },
      's3://bucket/app?endpoint=http%3A%2F%2Flocalhost%3A9000&region=eu-west-1&force-path-style=true&skip-verify=true&sign-payload=false&require-content-md5=false&storage-class=STANDARD_IA&part-size=10485760&concurrency=3&sse-kms-key-id=key',
      { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' },
    ],
    [
      'a setting that the URL has too: the URL goes first',
      { url: 's3://bucket/app?region=a', region: 'b' },
      's3://bucket/app?region=a',
      none,
    ],
    // Google.
    ['type gs', { type: 'gs', bucket: 'bucket', path: 'a/b' }, 'gs://bucket/a/b', none],
    // Azure.
    ['type abs', { type: 'abs', bucket: 'container', path: 'app' }, 'abs://container/app', none],
    [
      'every setting of Azure',
      {
        type: 'abs',
        ...AZURE_SETTINGS,
        bucket: 'container',
        path: '/app',
      },
      'abs://acc@container/app?endpoint=http%3A%2F%2F127.0.0.1%3A10000%2Facc',
      { LITESTREAM_AZURE_ACCOUNT_KEY: 'a2V5', LITESTREAM_AZURE_SAS_TOKEN: 'sv=1&sig=x' },
    ],
    // SFTP: a path from the top has two slashes.
    ['type sftp', { type: 'sftp', host: 'h:22', path: '/backups' }, 'sftp://h:22//backups', none],
    ['type sftp below the login', { type: 'sftp', host: 'h', path: 'b' }, 'sftp://h/b', none],
    [
      'every setting of SFTP',
      {
        type: 'sftp',
        host: 'h',
        user: 'me',
        password: 'p@ss/word',
        path: 'b',
        'key-path': '/k',
        'host-key': 'ssh-ed25519 AAAA+/=',
        'concurrent-writes': true,
      },
      'sftp://me:p%40ss%2Fword@h/b?key-path=%2Fk&host-key=ssh-ed25519+AAAA%2B%2F%3D',
      none,
    ],
    ['an SFTP URL and a user', { url: 'sftp://h/b', user: 'me', password: 'pw' }, 'sftp://me:pw@h/b', none],
    [
      'an SFTP URL with a user',
      { url: 'sftp://you@h/b', user: 'me', password: 'pw' },
      'sftp://you@h/b',
      none,
    ],
    // WebDAV.
    [
      'type webdav',
      {
        type: 'webdav',
        'webdav-url': 'https://h/dav/',
        'webdav-username': 'me',
        'webdav-password': 'pw',
        path: '/a',
      },
      'webdavs://me:pw@h/dav/a',
      none,
    ],
    ['type webdav without TLS', { type: 'webdav', 'webdav-url': 'http://h:80' }, 'webdav://h:80', none],
    ['a WebDAV URL', { url: 'webdavs://h/a', 'webdav-username': 'me' }, 'webdavs://me@h/a', none],
    // NATS.
    [
      'a NATS URL',
      { url: 'nats://h:4222/bucket', username: 'u', password: 'p' },
      'nats://u:p@h:4222/bucket',
      none,
    ],
  ])('with %s', (_, replica, url, environment) => {
    expect(mapReplica(replica)).toEqual({ url, environment })
  })

  test('takes settings from the top of the file, but those that Litestream does not hand on', () => {
    const top = {
      region: 'a',
      'access-key-id': 'id',
      concurrency: 9,
      'part-size': '5MiB',
      'sync-interval': '10s',
    }
    expect(mapReplica({ url: 's3://b/p' }, top)).toEqual({
      url: 's3://b/p?region=a',
      environment: { AWS_ACCESS_KEY_ID: 'id' },
      syncIntervalMs: 10_000,
    })
    expect(mapReplica({ url: 's3://b/p', region: 'b', 'sync-interval': '1m30s' }, top)).toMatchObject({
      url: 's3://b/p?region=b',
      syncIntervalMs: 90_000,
    })
  })
})

test.each<[string, object]>([
  ['S3', { url: 's3://bucket/app', ...S3_SETTINGS }],
  [
    'S3 with a key of the customer',
    { url: 's3://b/app', 'sse-customer-algorithm': 'AES256', 'sse-customer-key': KEY },
  ],
  ['Azure', { type: 'abs', bucket: 'container', path: '/app', ...AZURE_SETTINGS }],
])('what becomes of every setting of %s is understood by our driver', async (_, replica) => {
  const { url = '', environment = {} } = mapReplica(replica)
  const drivers = new Drivers()
  await using store = await drivers.open(await drivers.locate(url), { environment })
  expect(store.capabilities.conditionalPut).toBe(true)
})

describe('a database', () => {
  test.each([
    ['/data/app.db', '/data/app.db'],
    ['app.db', '/srv/app.db'],
    ['~/app.db', '/users/me/app.db'],
    ['sqlite:///data/app.db', '/data/app.db'],
    ['sqlite3://app.db', '/srv/app.db'],
  ])('%s is %s', (path, expected) => {
    expect(map({ dbs: [{ path, replica: { path: '/b' } }] }).config.databases[0]?.path).toBe(expected)
  })

  test.each([
    ['/var/lib/app', '/var/lib/app-sqlstream'],
    ['~/.app.db-litestream', '/users/me/.app.db-sqlstream'],
  ])('with meta-path %s keeps its state in %s', (path, expected) => {
    const file = { dbs: [{ path: 'a', 'meta-path': path, replica: { path: '/b' } }] }
    expect(map(file).config.databases[0]?.stateDir).toBe(expected)
  })

  test('may have its one replica in a list', () => {
    const file = { dbs: [{ path: '/a', replicas: [{ url: 's3://b/p' }] }] }
    expect(map(file)).toMatchObject({ config: { databases: [{ url: 's3://b/p' }] }, problems: [] })
  })
})

const app = { path: 'app.db', replica: { path: '/b' } }

test('what is not heeded is told with its key and a reason', () => {
  const unheeded = {
    top: [
      'addr',
      'mcp-addr',
      'socket',
      'l0-retention-check-interval',
      'retention',
      'verify-compaction',
      'validation',
      'heartbeat-url',
      'heartbeat-interval',
      'shutdown-sync-timeout',
      'shutdown-sync-interval',
      'logging',
    ],
    database: [
      'monitor-interval',
      'checkpoint-interval',
      'busy-timeout',
      'min-checkpoint-page-count',
      'max-checkpoint-page-count',
      'truncate-page-n',
      'max-sync-wal-bytes',
      'restore-if-db-not-exists',
    ],
    replica: [
      'max-sync-ltx-files',
      'auto-recover',
      'validation-interval',
      'concurrent-writes',
      'max-reconnects',
      'reconnect-wait',
      'timeout',
      'retention',
      'retention-check-interval',
      'snapshot-interval',
    ],
  }
  const some = (keys: string[]): object => Object.fromEntries(keys.map((key) => [key, { any: 'value' }]))
  const { config, problems, warnings } = map({
    ...some(unheeded.top),
    dbs: [{ ...app, ...some(unheeded.database), replica: { path: '/b', ...some(unheeded.replica) } }],
  })
  expect(problems).toEqual([])
  expect(config.databases).toHaveLength(1)
  const paths = [
    ...unheeded.top.map((key) => [key]),
    ...unheeded.database.map((key) => ['dbs', 0, key]),
    ...unheeded.replica.map((key) => ['dbs', 0, 'replica', key]),
  ]
  expect(warnings.map(({ path }) => formatPath(path)).sort()).toEqual(paths.map(formatPath).sort())
  for (const { message, hint } of warnings) {
    expect(message).toBe('is not heeded')
    expect(hint).toMatch(/^\w.*\w$/)
  }
})

test('the application is split into words as Litestream does it, and left to sqlstream run', () => {
  const { config, problems, warnings } = map({ exec: `app -c "a b" 'c $D' e\\ f`, dbs: [app] })
  expect([problems, warnings]).toEqual([[], []])
  expect(config.exec).toEqual(['app', '-c', 'a b', 'c $D', 'e f'])
  expect(map({ exec: '', dbs: [app] }).config.exec).toBeUndefined()
})

test('restore-if-db-not-exists is what sqlstream run does, and the warning says so', () => {
  const { warnings } = map({ dbs: [{ ...app, 'restore-if-db-not-exists': true }] })
  expect(warnings[0]?.hint).toMatch(/sqlstream run does that/)
})

test.each<[string, unknown, (string | number)[], string]>([
  [
    'an application that only a shell could start',
    { exec: 'app | tee log', dbs: [app] },
    ['exec'],
    'makes no sense: no shell reads this command, and | is for one',
  ],
  ['no path', { dbs: [{ replica: { path: '/b' } }] }, ['dbs', 0], 'has no path'],
  [
    'a folder of databases without a pattern',
    { dbs: [{ dir: '/d', replica: { path: '/b' } }] },
    ['dbs', 0],
    'needs a pattern of names',
  ],
  [
    'a pattern with a folder',
    { dbs: [{ dir: '/d', pattern: 'a/*', replica: { path: '/b' } }] },
    ['dbs', 0, 'pattern'],
    'needs a pattern of names',
  ],
  ['a path and a folder', { dbs: [{ ...app, dir: '/d', pattern: '*' }] }, ['dbs', 0], 'has a path and a dir'],
  ['no replica', { dbs: [app, { path: 'a' }] }, ['dbs', 1], 'needs one replica'],
  [
    'two replicas',
    { dbs: [{ path: 'a', replicas: [{ path: '/b' }, { path: '/c' }] }] },
    ['dbs', 0],
    'no more than one',
  ],
  ['a replica and a list', { dbs: [{ ...app, replicas: [{ path: '/c' }] }] }, ['dbs', 0], 'no more than one'],
  [
    'encryption',
    { dbs: [{ path: 'a', replica: { path: '/b', age: {} } }] },
    ['dbs', 0, 'replica', 'age'],
    'not encrypted',
  ],
  ['encryption at the top', { age: {}, dbs: [app] }, ['age'], 'not encrypted'],
  [
    'a wrong interval',
    { dbs: [{ path: 'a', replica: { path: '/b', 'sync-interval': '5' } }] },
    ['dbs', 0, 'replica', 'sync-interval'],
    'expected a duration',
  ],
  [
    'a wrong interval at the top',
    { 'sync-interval': '0s', dbs: [app] },
    ['sync-interval'],
    'expected a duration',
  ],
  [
    'url and path',
    { dbs: [{ path: 'a', replica: { url: 's3://b', path: 'c' } }] },
    ['dbs', 0, 'replica', 'path'],
    'cannot be given beside url',
  ],
  [
    'url and bucket',
    { dbs: [{ path: 'a', replica: { url: 's3://b', bucket: 'c' } }] },
    ['dbs', 0, 'replica', 'bucket'],
    'cannot be given beside url',
  ],
  [
    'a URL as path',
    { dbs: [{ path: 'a', replica: { path: 's3://b' } }] },
    ['dbs', 0, 'replica', 'path'],
    'name it url',
  ],
  ['no bucket', { dbs: [{ path: 'a', replica: { type: 's3' } }] }, ['dbs', 0, 'replica'], 'needs bucket'],
  ['no host', { dbs: [{ path: 'a', replica: { type: 'sftp' } }] }, ['dbs', 0, 'replica'], 'needs host'],
  [
    'no WebDAV URL',
    { dbs: [{ path: 'a', replica: { type: 'webdav' } }] },
    ['dbs', 0, 'replica'],
    'needs webdav-url',
  ],
  ['nothing of a replica', { dbs: [{ path: 'a', replica: {} }] }, ['dbs', 0, 'replica'], 'needs path'],
  [
    'a part of no size',
    { dbs: [{ path: 'a', replica: { url: 's3://b', 'part-size': '5 pages' } }] },
    ['dbs', 0, 'replica', 'part-size'],
    'expected a size',
  ],
  [
    'OSS',
    { dbs: [{ path: 'a', replica: { type: 'oss' } }] },
    ['dbs', 0, 'replica', 'type'],
    'has no driver here',
  ],
  [
    'a customer key in a file',
    { dbs: [{ path: 'a', replica: { url: 's3://b', 'sse-customer-key-path': '/k' } }] },
    ['dbs', 0, 'replica', 'sse-customer-key-path'],
    'cannot be done yet',
  ],
  [
    'a token of NATS at the top',
    { token: 't', dbs: [{ path: 'a', replica: { url: 'nats://h/b' } }] },
    ['token'],
    'cannot be done yet',
  ],
])('a file with %s is not used', (_, file, path, message) => {
  const { problems } = map(file)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({ path, message: expect.stringContaining(message) })
})

describe('levels, snapshots and retention', () => {
  const MINUTE = 60_000
  const HOUR = 60 * MINUTE
  const of = (top: object, database: object = {}) => {
    const { config, problems, warnings } = map({ ...top, dbs: [{ ...app, ...database }] })
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    return config.databases[0]?.maintenance
  }

  test('that are not mentioned stay what they are here', () => {
    expect(of({})).toBeUndefined()
  })

  test('mean what Litestream does with them', () => {
    const file = {
      levels: [{ interval: '1m' }, { interval: '10m' }],
      snapshot: { interval: '12h', retention: '72h' },
      'l0-retention': '10m',
      retention: { enabled: true },
    }
    expect(of(file)).toEqual({
      compaction: { levels: { every: [MINUTE, 10 * MINUTE] }, snapshots: { maxAge: 12 * HOUR } },
      retention: {
        keep: [
          { every: 'capture', for: 10 * MINUTE },
          { every: MINUTE, for: 84 * HOUR },
        ],
        grace: HOUR,
        minSnapshots: 2,
        neverDelete: false,
      },
    })
  })

  test('have what Litestream has where only some of them are mentioned', () => {
    expect(of({ 'l0-retention': 0 })).toMatchObject({
      compaction: {},
      retention: { keep: [{ every: 'capture', for: Number.POSITIVE_INFINITY }] },
    })
    expect(of({ snapshot: { retention: '48h' } })).toMatchObject({
      retention: {
        keep: [
          { every: 'capture', for: 5 * MINUTE },
          { every: 30_000, for: 72 * HOUR },
        ],
      },
    })
  })

  test('of a database go before those of the file, key by key', () => {
    const maintenance = of(
      { snapshot: { interval: '1h', retention: '24h' } },
      { snapshot: { retention: '240h' } },
    )
    expect(maintenance).toMatchObject({
      compaction: { snapshots: { maxAge: HOUR } },
      retention: { keep: [{}, { for: 241 * HOUR }] },
    })
  })

  test('that are switched off remove nothing', () => {
    expect(of({ retention: { enabled: false } })).toEqual({ compaction: {}, retention: 'never' })
  })

  test('that do not nest are told, and the default levels are made', () => {
    const levels = [{ interval: '30s' }, { interval: '45s' }]
    const { config, problems, warnings } = map({ levels, dbs: [app, { ...app, path: 'b.db' }] })
    expect(problems).toEqual([])
    expect(warnings).toMatchObject([{ path: ['levels'], message: 'is not heeded' }])
    expect(config.databases[0]?.maintenance).toMatchObject({ compaction: {} })
  })

  test.each<[object, object, string]>([
    [{ snapshot: { interval: 'daily' } }, {}, 'snapshot.interval'],
    [{ 'l0-retention': 'short' }, {}, 'l0-retention'],
    [{ levels: [{ interval: '0s' }] }, {}, 'levels[0].interval'],
    [{}, { snapshot: { retention: '-1h' } }, 'dbs[0].snapshot.retention'],
  ])('with times that are none are wrong: %j %j', (top, database, key) => {
    const { problems } = map({ ...top, dbs: [{ ...app, ...database }] })
    expect(problems.map(({ path }) => formatPath(path))).toEqual([key])
  })
})
