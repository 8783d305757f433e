import { describe, expect, test } from 'vitest'
import { type ConfigNote, type ParsedConfig, parseConfig } from '../src/config/parse-config.ts'

function parse(text: string, variables: Record<string, string> = {}): ParsedConfig {
  return parseConfig(text, { variables, folder: '/etc/app', cwd: '/srv', home: '/users/me' })
}

const ONE = 'databases:\n  - path: app.db\n    url: /backups/app\n'

/** The file with one database and more keys below it. */
function withKeys(...lines: string[]): string {
  return `${ONE}${lines.map((line) => `    ${line}\n`).join('')}`
}

describe('a right file', () => {
  test('with one database: paths are absolute, from the folder of the file', () => {
    expect(parse(ONE)).toEqual({
      format: 'sqlstream',
      config: {
        drivers: [],
        databases: [{ path: '/etc/app/app.db', url: '/backups/app', lease: {}, environment: {} }],
        folders: [],
      },
      problems: [],
      warnings: [],
    })
  })

  test.each<[string, string[]]>([
    ['[node, server.js, --port, 80]', ['node', 'server.js', '--port', '80']],
    ['node "my server.js"', ['node', 'my server.js']],
    ['["a; b"]', ['a; b']],
  ])('with the application of sqlstream run as %s', (exec, words) => {
    expect(parse(`exec: ${exec}\n${ONE}`).config?.exec).toEqual(words)
  })

  test.each(['[]', '""', '[""]', 'a | b', '{ a: b }', "a 'b"])('but not with one as %s', (exec) => {
    const { problems } = parse(`exec: ${exec}\n${ONE}`)
    expect(problems).toMatchObject([{ line: 1, key: 'exec' }])
  })

  test('with every key', () => {
    const { config, problems } = parse(`
drivers: [sqlstream-driver-foo, ./own/driver.mjs]
databases:
  - path: /data/app.db
    url: s3://bucket/app?region=eu-west-1
    syncInterval: 500ms
    onBehind: snapshot
    stateDir: state
    lease: { ttl: 1m, soleWriter: true }
    store: { endpoint: "https://host:9000/a b", force-path-style: true, concurrency: 4 }
    env: { AWS_PROFILE: backup, PORT: 5 }
`)
    expect(problems).toEqual([])
    expect(config).toEqual({
      drivers: ['sqlstream-driver-foo', './own/driver.mjs'],
      folders: [],
      databases: [
        {
          path: '/data/app.db',
          url: 's3://bucket/app?region=eu-west-1&endpoint=https%3A%2F%2Fhost%3A9000%2Fa+b&force-path-style=true&concurrency=4',
          syncIntervalMs: 500,
          onBehind: 'snapshot',
          stateDir: '/etc/app/state',
          lease: { ttlMs: 60_000, soleWriter: true },
          environment: { AWS_PROFILE: 'backup', PORT: '5' },
        },
      ],
    })
  })

  test('as JSON, with tabs', () => {
    const json = JSON.stringify({ databases: [{ path: 'a.db', url: 'file:///b' }] }, null, '\t')
    expect(parse(json).config?.databases).toEqual([
      { path: '/etc/app/a.db', url: 'file:///b', lease: {}, environment: {} },
    ])
  })

  test('with a relative URL: it is a path from the folder of the file, with options too', () => {
    expect(parse(ONE.replace('/backups/app', '../b')).config?.databases[0]?.url).toBe('/etc/b')
    const { config } = parse(withKeys('store: { create: false }').replace('/backups/app', 'b'))
    expect(config?.databases[0]?.url).toBe('file:///etc/app/b?create=false')
  })
})

/** How a file names a variable. */
const v = (name: string): string => `\${${name}}`

describe('variables', () => {
  test('are put into values, quoted or not, and $$ is a dollar sign', () => {
    const { config } = parse(
      withKeys(
        'env:',
        `  A: "x${v('B')}${v('C')}"`,
        '  D: $$1',
        '  E: $F',
        `  G: '${v('B')}'`,
        `  H: ${v('C')}`,
      ),
      { B: 'b', C: v('B') },
    )
    const environment = { A: `xb${v('B')}`, D: '$1', E: '$F', G: 'b', H: v('B') }
    expect(config?.databases[0]).toMatchObject({ environment })
  })

  test('keep their type in quotes, and take one without', () => {
    const variables = { YES: 'true', N: '12', ID: '007' }
    const quoted = parse(withKeys('lease:', `  soleWriter: "${v('YES')}"`), variables)
    expect(quoted.problems).toMatchObject([
      { line: 5, key: 'databases[0].lease.soleWriter', message: 'expected true or false' },
    ])
    const plain = parse(
      withKeys('lease:', `  soleWriter: ${v('YES')}`, 'store:', `  a: ${v('N')}`, `  b: ${v('ID')}`),
      variables,
    )
    expect(plain.config?.databases[0]).toMatchObject({
      url: 'file:///backups/app?a=12&b=007',
      lease: { soleWriter: true },
    })
  })

  test('cannot change the structure of the file', () => {
    const evil = '"\n  evil: true'
    const { config } = parse(withKeys('env:', `  A: "${v('X')}"`, `  B: ${v('X')}`), { X: evil })
    expect(config?.databases[0]?.environment).toEqual({ A: evil, B: evil })
  })

  test('that are not set are all named, with their lines', () => {
    const { config, problems } = parse(
      withKeys(`stateDir: ${v('ONE')}`, 'env:', `  A: "${v('TWO')}"`, `  ${v('KEY')}: 1`),
    )
    expect(config).toBeUndefined()
    const hint = 'set it, or write $$ for a dollar sign'
    expect(problems).toEqual([
      { line: 4, key: '', message: 'the variable ONE is not set', hint },
      { line: 6, key: '', message: 'the variable TWO is not set', hint },
    ])
  })
})

describe('a wrong file', () => {
  const DURATION = 'expected a duration above 0 such as 500ms, 1s or 2m'
  test.each<[string, string, Partial<ConfigNote>[]]>([
    [
      'an unknown key',
      withKeys('synchInterval: 1s'),
      [
        {
          line: 4,
          key: 'databases[0].synchInterval',
          message: 'is no key that is known here',
          hint: 'did you mean syncInterval?',
        },
      ],
    ],
    ['a key in kebab case', withKeys('sync-interval: 1s'), [{ line: 4, hint: 'did you mean syncInterval?' }]],
    ['a key in snake case', withKeys('on_behind: x'), [{ line: 4, hint: 'did you mean onBehind?' }]],
    [
      'an unknown key at the top',
      `${ONE}database: []\n`,
      [{ line: 4, key: 'database', hint: 'did you mean databases?' }],
    ],
    [
      'an unknown key far below',
      withKeys('lease:', '  ttl: 30s', '  soleWirter: true'),
      [{ line: 6, key: 'databases[0].lease.soleWirter', hint: 'did you mean soleWriter?' }],
    ],
    [
      'a key that is like no other',
      withKeys('lease: { zzzzzzzz: 1 }'),
      [{ hint: 'known here: ttl, soleWriter' }],
    ],
    [
      'several unknown keys',
      withKeys('one: 1', 'two: 2'),
      [
        { line: 4, key: 'databases[0].one' },
        { line: 5, key: 'databases[0].two' },
      ],
    ],
    [
      'a number for a duration',
      withKeys('syncInterval: 5'),
      [{ line: 4, message: 'expected a duration such as 500ms, 1s or 2m' }],
    ],
    ['a duration without unit', withKeys('syncInterval: "5"'), [{ line: 4, message: DURATION }]],
    [
      'a duration of nothing',
      withKeys('lease: { ttl: 0s }'),
      [{ key: 'databases[0].lease.ttl', message: DURATION }],
    ],
    [
      'an unknown choice',
      withKeys('onBehind: snapshoot'),
      [{ line: 4, message: 'expected refuse or snapshot' }],
    ],
    ['a text for a truth', withKeys('lease: { soleWriter: yes }'), [{ message: 'expected true or false' }]],
    [
      'no url',
      'databases:\n  - path: a.db\n',
      [{ line: 2, key: 'databases[0].url', message: 'is missing: expected the URL or path of a replica' }],
    ],
    ['proofs without a budget', withKeys('verify: { every: 24h }'), [{ key: 'databases[0].verify.budget' }]],
    [
      'a budget without unit',
      withKeys('verify: { budget: "10" }'),
      [
        {
          line: 4,
          key: 'databases[0].verify.budget',
          message: 'expected a size above 0 such as 500MB or 10GB',
        },
      ],
    ],
    ['an empty path', ONE.replace('app.db', '""'), [{ line: 2, message: 'expected the path of a database' }]],
    [
      'a mapping of databases',
      'databases: { path: a }\n',
      [{ line: 1, key: 'databases', message: 'expected a list of databases' }],
    ],
    [
      'a text as a database',
      'databases: [a.db]\n',
      [{ line: 1, key: 'databases[0]', message: 'expected a mapping' }],
    ],
    [
      'a text as drivers',
      `drivers: foo\n${ONE}`,
      [{ line: 1, key: 'drivers', message: 'expected a list of package names' }],
    ],
    [
      'a list as an option of the store',
      withKeys('store: { a: [1] }'),
      [{ line: 4, key: 'databases[0].store.a', message: 'expected a text, a number, true or false' }],
    ],
    [
      'nothing',
      '',
      [{ line: 1, key: 'databases', message: 'is missing: expected a list of databases, or folders' }],
    ],
    ['a text', 'hello\n', [{ line: 1, key: '', message: 'expected a mapping' }]],
    ['a key twice', withKeys('url: b'), [{ line: 4, message: 'not YAML: Map keys must be unique' }]],
    ['no YAML', 'databases: [\n  { path: a\n', [{ key: '', message: expect.stringMatching(/^not YAML: /) }]],
    [
      'an option that the URL has too',
      withKeys('store: { region: a }').replace('/backups/app', 's3://b/x?region=b'),
      [{ line: 4, key: 'databases[0].store.region', message: 'is in the URL as well', hint: 'say it once' }],
    ],
  ])('with %s is told so', (_, text, expected) => {
    const { config, problems, format } = parse(text)
    expect({ config, format }).toEqual({ config: undefined, format: 'sqlstream' })
    expect(problems).toMatchObject(expected)
    expect(problems).toHaveLength(expected.length)
  })

  test('shows no values: one may be a secret', () => {
    const secret = 'hunter2'
    for (const text of [
      withKeys(`syncInterval: ${secret}`),
      withKeys(`onBehind: ${secret}`),
      withKeys(`env: ${secret}`),
      withKeys(`env: [${secret}]`),
      withKeys(`env: { A: { B: ${secret} } }`),
      withKeys(`lease: ${secret}`),
      `${secret}\n`,
      `databases: ${secret}\n`,
      `${ONE}  broken ${secret}: [\n`,
    ]) {
      const { problems } = parse(text)
      expect(problems.length).toBeGreaterThan(0)
      expect(JSON.stringify(problems)).not.toContain(secret)
    }
  })
})

describe('a file of Litestream', () => {
  const LITESTREAM = `
dbs:
  - path: ~/app.db
    replica:
      url: s3://bucket/app
      access-key-id: $KEY
      secret-access-key: \${SECRET}
`
  test('is known by its list of databases, and variables are put in as Litestream does it', () => {
    expect(parse(LITESTREAM, { KEY: 'id' })).toEqual({
      format: 'litestream',
      config: {
        drivers: [],
        folders: [],
        databases: [
          {
            path: '/users/me/app.db',
            url: 's3://bucket/app',
            lease: {},
            environment: { AWS_ACCESS_KEY_ID: 'id' },
          },
        ],
      },
      problems: [],
      warnings: [{ key: '', message: 'the variable SECRET is not set' }],
    })
  })

  test('may have keys without a value, which mean nothing', () => {
    const { config, problems } = parse(
      'logging:\nregion:\ndbs:\n  - path: a\n    dir:\n    replica: { path: /b, url: }\n',
    )
    expect(problems).toEqual([])
    expect(config?.databases).toMatchObject([{ path: '/srv/a', url: '/b' }])
  })

  test('names lines and keys of what is not heeded and what is wrong', () => {
    const { config, problems, warnings } = parse(`
addr:
  interval: 24h
dbs:
  - path: app.db
    checkpoint-interval: 1m
    replica: { type: file, path: /b, age: { recipients: [x] } }
  - dir: /data
    replica: { path: /c }
`)
    expect(config).toBeUndefined()
    expect(warnings).toMatchObject([
      { line: 2, key: 'addr' },
      { line: 6, key: 'dbs[0].checkpoint-interval', message: 'is not heeded' },
    ])
    expect(problems).toMatchObject([
      { line: 7, key: 'dbs[0].replica.age' },
      { line: 8, key: 'dbs[1]', message: 'needs a pattern of names, such as "*.db"' },
    ])
  })

  test('with a key that no release of Litestream knows is wrong', () => {
    const { problems } = parse(
      'dbs:\n  - path: a\n    replica:\n      url: file:///b\n      sync-intervall: 1s\n',
    )
    expect(problems).toEqual([
      {
        line: 5,
        key: 'dbs[0].replica.sync-intervall',
        message: 'is no key that is known here',
        hint: 'did you mean sync-interval?',
      },
    ])
    expect(parse('dbz: []\ndbs: []\n').problems).toMatchObject([
      { line: 1, key: 'dbz', hint: 'did you mean dbs?' },
    ])
    expect(parse('dbs: {}\n').problems).toMatchObject([
      { line: 1, key: 'dbs', message: 'expected a list of databases' },
    ])
  })
})

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('levels, snapshots and retention', () => {
  test('are options of the replication, from the file and from each database', () => {
    const { config, problems } = parse(`
levels: [1m, 1h]
retention: { keep: [{ every: capture, for: 1h }, { every: 1m, for: forever }], grace: 2h, minSnapshots: 3 }
databases:
  - { path: a, url: /a }
  - path: b
    url: /b
    levels: never
    retention: never
  - path: c
    url: /c
    levels: [10s]
    snapshots: { growth: 0.5, maxAge: 7d }
    retention: { keep: [{ every: 10s, for: 1d }] }
  - { path: d, url: /d, snapshots: never }
`)
    expect(problems).toEqual([])
    const retention = {
      keep: [
        { every: 'capture', for: HOUR },
        { every: MINUTE, for: Number.POSITIVE_INFINITY },
      ],
      grace: 2 * HOUR,
      minSnapshots: 3,
      neverDelete: false,
    }
    const levels = { every: [MINUTE, HOUR] }
    expect(config?.databases.map(({ maintenance }) => maintenance)).toEqual([
      { compaction: { levels }, retention },
      { compaction: 'never', retention: 'never' },
      {
        compaction: { levels: { every: [10_000] }, snapshots: { growth: 0.5, maxAge: 168 * HOUR } },
        retention: {
          keep: [{ every: 10_000, for: 24 * HOUR }],
          grace: HOUR,
          minSnapshots: 2,
          neverDelete: false,
        },
      },
      { compaction: { levels, snapshots: 'never' }, retention },
    ])
  })

  const DURATION = 'expected a duration above 0 such as 500ms, 1s or 2m'
  test.each<[string, string, Partial<ConfigNote>[]]>([
    [
      'levels that do not nest',
      'levels: [30s, 45s]',
      [{ line: 4, key: 'databases[0].levels', message: expect.stringMatching(/^makes no sense: level 2: /) }],
    ],
    [
      'a level that is no duration',
      'levels: [30s, soon]',
      [{ key: 'databases[0].levels[1]', message: DURATION }],
    ],
    ['no level', 'levels: []', [{ key: 'databases[0].levels', message: 'expected at least one level' }]],
    [
      'a word for levels',
      'levels: none',
      [
        {
          key: 'databases[0].levels',
          message: 'expected durations, level 1 first, such as [30s, 5m, 1h], or never',
        },
      ],
    ],
    [
      'an unknown key of snapshots',
      'snapshots: { max-age: 1d }',
      [{ key: 'databases[0].snapshots.max-age', hint: 'did you mean maxAge?' }],
    ],
    [
      'growth that is none',
      'snapshots: { growth: 0 }',
      [{ key: 'databases[0].snapshots.growth', message: 'expected a number above 0' }],
    ],
    [
      'two wrong keys at once',
      'snapshots: { growth: 0, maxAge: x }',
      [{ key: 'databases[0].snapshots.growth' }, { key: 'databases[0].snapshots.maxAge', message: DURATION }],
    ],
    [
      'an unknown key of a step',
      'retention: { keep: [{ each: 1m, for: 1h }] }',
      [
        { key: 'databases[0].retention.keep[0].every', message: expect.stringMatching(/^is missing: /) },
        { key: 'databases[0].retention.keep[0].each', message: 'is no key that is known here' },
      ],
    ],
    [
      'steps that do not grow',
      'retention: { keep: [{ every: 1h, for: 1d }, { every: 1m, for: 2d }] }',
      [
        {
          key: 'databases[0].retention',
          message: expect.stringMatching(/^makes no sense: retention: tier 2 is every /),
        },
      ],
    ],
    [
      'a text for retention',
      'retention: 24h',
      [{ key: 'databases[0].retention', message: 'expected a mapping, or never' }],
    ],
  ])('with %s are wrong', (_, line, expected) => {
    const { config, problems } = parse(withKeys(line))
    expect(config).toBeUndefined()
    expect(problems).toMatchObject(expected)
    expect(problems.length).toBe(expected.length)
  })

  test('snapshots cannot be made without levels', () => {
    expect(parse(withKeys('levels: never', 'snapshots: { growth: 1 }')).problems).toMatchObject([
      { line: 5, key: 'databases[0].snapshots', message: 'cannot be made without levels' },
    ])
  })

  test('what is wrong at the top is told once, however many databases there are', () => {
    const { problems } = parse(`levels: [2s, 3s]\n${ONE}  - { path: b, url: /b }\n`)
    expect(problems).toMatchObject([{ line: 1, key: 'levels' }])
    expect(problems.length).toBe(1)
  })
})
