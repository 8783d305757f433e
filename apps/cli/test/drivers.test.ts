import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type BlobStore, MemoryStore, type StorageDriver } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BUILT_IN_DRIVERS, Drivers } from '../src/drivers.ts'
import { loadDriver } from '../src/load-driver.ts'
import { App } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('drivers')
})

afterEach(() => {
  folder.remove()
})

/** A driver, for `Drivers`. */
function named(packageName: string, driver: Partial<StorageDriver>) {
  const open = async (): Promise<BlobStore> => new MemoryStore()
  return { packageName, driver: { name: packageName, schemes: [packageName], open, ...driver } }
}

describe.each(Object.entries(BUILT_IN_DRIVERS))('%s://', (scheme, load) => {
  test('names a driver that has this scheme', async () => {
    const driver = await load()
    expect(driver.schemes).toContain(scheme)
    expect(driver.name).toMatch(/^[a-z0-9-]+$/)
  })

  test('every scheme of its driver has a line in the table', async () => {
    for (const each of (await load()).schemes) expect(Object.keys(BUILT_IN_DRIVERS)).toContain(each)
  })
})

describe('only what is used is loaded', () => {
  /** Names of the modules that a run of the command line loaded. */
  async function loadedBy(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
    const list = folder.join('loaded')
    writeFile(
      folder,
      'watch.mjs',
      `import { appendFileSync } from 'node:fs'
       import { registerHooks } from 'node:module'
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context) } })`,
    )
    const hook = pathToFileURL(folder.join('watch.mjs')).href
    const { status, stderr } = await runCLI(args, {
      cwd: folder.path,
      env: { ...env, NODE_OPTIONS: `--import=${hook}` },
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return readFileSync(list, 'utf8').trim().split('\n')
  }

  const drivers = /\/(?:@sqlstream\/|packages\/)storage-(?!file\/)[a-z0-9-]+\//
  const sdks = /\/node_modules\/(?:@aws-sdk|@smithy|@google-cloud|@azure|@nats-io|ssh2|webdav)\//

  test('replicate to a folder loads the driver for files, no cloud SDK, and nothing that reads configuration', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(3)
    const loaded = await loadedBy(['replicate', app.path, folder.join('backup'), '--once'])
    expect(loaded.filter((url) => /\/storage-file\//.test(url)).length).toBeGreaterThan(3)
    expect(loaded.filter((url) => drivers.test(url) || sdks.test(url))).toEqual([])
    expect(loaded.filter((url) => /\/node_modules\/(?:zod|yaml)\//.test(url))).toEqual([])
  })

  test('replicate to S3 loads the SDK of that, and no other', async () => {
    await using s3 = await FakeS3.start()
    using app = new App(folder.join('app.db'))
    app.commit(3)
    const url = `s3://bucket/app?endpoint=${encodeURIComponent(s3.url)}`
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
    const loaded = await loadedBy(['replicate', app.path, url, '--once'], env)
    expect(loaded.some((each) => /\/node_modules\/@aws-sdk\//.test(each))).toBe(true)
    const others = /\/node_modules\/(?:@google-cloud|@azure|@nats-io|ssh2|webdav)\//
    expect(loaded.filter((each) => others.test(each))).toEqual([])
    expect(loaded.filter((each) => drivers.test(each) && !/\/storage-s3\//.test(each))).toEqual([])
  })

  test('the watch sees what a configuration needs', async () => {
    writeFile(folder, 'sqlstream.yml', 'databases: [{ path: app.db, url: backup }]\n')
    const loaded = await loadedBy(['config', 'show'])
    expect(loaded.some((url) => /\/node_modules\/zod\//.test(url))).toBe(true)
    expect(loaded.some((url) => /\/node_modules\/yaml\//.test(url))).toBe(true)
  })
})

describe('Drivers', () => {
  test('finds a driver that the configuration names, and asks for it only when a URL needs it', async () => {
    let asked = 0
    const drivers = new Drivers(async () => {
      asked += 1
      return [named('foo', { schemes: ['foo', 'foos'] })]
    })
    await drivers.locate('/a/plain/path')
    await drivers.locate('file:///a/path')
    expect(asked).toBe(0)
    const location = await drivers.locate('foos://user:secret@place/x')
    expect(location).toMatchObject({ display: 'foos://***@place/x' })
    await expect(drivers.open(location)).resolves.toBeInstanceOf(MemoryStore)
    expect(asked).toBe(1)
  })

  test('an unknown scheme names the nearest one, of the configuration too', async () => {
    const drivers = new Drivers(async () => [named('swift', {})])
    await expect(drivers.locate('swfit://place')).rejects.toMatchObject({
      code: 'unknown-scheme',
      hint: expect.stringMatching(
        /^did you mean swift:\/\/\? known schemes: file:\/\/, .*swift:\/\/, or a plain path$/,
      ),
    })
  })

  test.each([
    [
      'a built-in scheme',
      [named('foo', { schemes: ['foo', 'file'] })],
      'foo and sqlstream itself',
      'file://',
    ],
    ['each other', [named('a', {}), named('b', { schemes: ['b', 'a'] })], 'b and a', 'a://'],
  ])('a driver in conflict with %s is an error', async (_, list, who, scheme) => {
    await expect(new Drivers(async () => list).loadAll()).rejects.toMatchObject({
      code: 'driver-conflict',
      message: `${who} are both drivers for ${scheme} URLs`,
    })
  })

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'list'],
    ['a store without delete', Object.assign(new MemoryStore(), { delete: undefined }), 'delete'],
    [
      'a store without capabilities',
      Object.assign(new MemoryStore(), { capabilities: undefined }),
      'capabilities',
    ],
  ])('a driver that opens %s is an error', async (_, store, missing) => {
    const drivers = new Drivers(async () => [named('foo', { open: async () => store as BlobStore })])
    await expect(drivers.open(await drivers.locate('foo://x'))).rejects.toMatchObject({
      code: 'bad-driver',
      message: `the storage driver foo opened what is no store: it has no ${missing}`,
    })
  })

  test('the variables of a database reach its driver', async () => {
    const seen: unknown[] = []
    const open: StorageDriver['open'] = async (_, options) => {
      seen.push(options?.environment)
      return new MemoryStore()
    }
    const drivers = new Drivers(async () => [named('foo', { open })])
    await drivers.open(await drivers.locate('foo://x'), { environment: { KEY: 'value' } })
    expect(seen).toEqual([{ KEY: 'value' }])
  })
})

describe('loadDriver', () => {
  /** A package with this manifest and this module, installed in the folder. */
  function install(name: string, manifest: object, code: string): void {
    writeFile(
      folder,
      `node_modules/${name}/package.json`,
      JSON.stringify({ name, type: 'module', ...manifest }),
    )
    writeFile(folder, `node_modules/${name}/index.js`, code)
  }

  const DRIVER = `{ name: 'foo', schemes: ['foo'], open: async () => { throw new Error('not now') } }`

  test.each([
    ['default', `export default ${DRIVER}`],
    ['driver', `export const driver = ${DRIVER}`],
  ])('takes the export %s', async (_, code) => {
    install('sqlstream-driver-foo', { exports: './index.js' }, code)
    const { packageName, driver } = await loadDriver('sqlstream-driver-foo', folder.path)
    expect({ packageName, name: driver.name, schemes: driver.schemes }).toEqual({
      packageName: 'sqlstream-driver-foo',
      name: 'foo',
      schemes: ['foo'],
    })
  })

  test.each<[string, object]>([
    ['main', { main: './index.js' }],
    ['a text', { exports: './index.js' }],
    ['import alone', { exports: { import: './index.js' } }],
    [
      'import alone, below a dot and node',
      { exports: { '.': { types: './x.d.ts', node: { import: './index.js' } } } },
    ],
    ['types and default', { exports: { '.': { types: './x.d.ts', default: './index.js' } } }],
  ])('finds the module of a package whose manifest has %s', async (_, manifest) => {
    install('@scope/foo', manifest, `export default ${DRIVER}`)
    expect((await loadDriver('@scope/foo', folder.path)).driver.name).toBe('foo')
  })

  test('takes a path from the folder of the configuration', async () => {
    writeFile(folder, 'own/driver.mjs', `export default ${DRIVER}`)
    expect((await loadDriver('./own/driver.mjs', folder.path)).driver.name).toBe('foo')
  })

  test('looks beside the command line too, after the folder of the configuration', async () => {
    // Of the command line's own dependencies, one that is no driver.
    await expect(loadDriver('@sqlstream/replica', folder.path)).rejects.toMatchObject({ code: 'bad-driver' })
    install('@sqlstream/replica', { exports: './index.js' }, `export default ${DRIVER}`)
    expect((await loadDriver('@sqlstream/replica', folder.path)).driver.name).toBe('foo')
  })

  test.each(['sqlstream-driver-none', './none.mjs', '/none.mjs', 'http:'])(
    '%s is not installed',
    async (name) => {
      await expect(loadDriver(name, folder.path)).rejects.toMatchObject({
        code: 'driver-missing',
        message: `the storage driver ${name} is not installed`,
      })
    },
  )

  test.each([
    ['throws', `throw new Error('no license')`, 'no license'],
    ['has a mistake', 'export default {{', 'Unexpected token'],
    ['imports what is not there', `import 'not-there-either'`, 'not-there-either'],
  ])('a module that %s is told with its reason', async (_, code, reason) => {
    install('sqlstream-driver-foo', { exports: './index.js' }, code)
    await expect(loadDriver('sqlstream-driver-foo', folder.path)).rejects.toMatchObject({
      code: 'driver-failed',
      message: expect.stringContaining(reason),
    })
  })

  test.each([
    ['nothing', 'export const other = 1', 'it has no export "default" or "driver"'],
    ['null', 'export default null', 'it has no export'],
    ['a driver without name', `export default { schemes: ['a'], open() {} }`, 'its name'],
    ['a driver with another name', `export default { name: 'A b', schemes: ['a'], open() {} }`, 'its name'],
    ['a driver without schemes', `export default { name: 'a', open() {} }`, 'its schemes'],
    ['a driver with no scheme', `export default { name: 'a', schemes: [], open() {} }`, 'its schemes'],
    ['a driver with a colon', `export default { name: 'a', schemes: ['a:'], open() {} }`, 'its schemes'],
    ['a driver without open', `export default { name: 'a', schemes: ['a'] }`, 'it has no function open'],
  ])('a module that exports %s is no driver', async (_, code, what) => {
    install('sqlstream-driver-foo', { exports: './index.js' }, code)
    await expect(loadDriver('sqlstream-driver-foo', folder.path)).rejects.toMatchObject({
      code: 'bad-driver',
      message: expect.stringContaining(what),
      hint: expect.stringContaining('docs/write-a-driver.md'),
    })
  })
})
