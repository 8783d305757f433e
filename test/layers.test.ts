import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readLayers } from './support/layers.ts'
import {
  ROOT,
  readText,
  tool,
  trackedFiles,
  type WorkspacePackage,
  workspacePackages,
} from './support/workspace.ts'

const layers = readLayers()
const packages = workspacePackages()
const pure = layers.filter((layer) => layer.runsIn.startsWith('anywhere'))

function packageOf(name: string): WorkspacePackage {
  const found = packages.find((each) => each.manifest.name === name)
  if (found === undefined) throw new Error(`no package ${name}`)
  return found
}

/** `@scope/name/sub` and `name/sub` without the sub-path. */
function packageName(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '')
}

/** Every module that a source file names, as written. */
function importsOf(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"\n]+)['"]/g)].map((match) => match[1] ?? '')
}

function sourcesOf(folder: string): string[] {
  return trackedFiles(new RegExp(`^${folder}/src/.*\\.ts$`))
}

test('every package of the workspace has a row in docs/layers.md, and every row a package', () => {
  expect(layers.map((layer) => layer.name).sort()).toEqual(packages.map((each) => each.manifest.name).sort())
})

describe.each(layers)('$name', (layer) => {
  const { folder, manifest } = packageOf(layer.name)
  const allowed = [...layer.internal, ...layer.external]

  test('has no dependency that the table does not allow', () => {
    const declared = [
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}),
      ...Object.keys(manifest.optionalDependencies ?? {}),
    ]
    expect(declared.filter((name) => !allowed.includes(name))).toEqual([])
  })

  test('imports in src only what its dependencies name', () => {
    // A peer is there as well, unless it is optional: then the code has to ask.
    const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    const foreign = sourcesOf(folder).flatMap((file) =>
      importsOf(readText(file))
        .filter((specifier) => !specifier.startsWith('.') && !isBuiltin(specifier))
        .filter((specifier) => !dependencies.includes(packageName(specifier)))
        .map((specifier) => `${file}: ${specifier}`),
    )
    expect(foreign).toEqual([])
  })

  test('uses every dependency that it declares', () => {
    const used = new Set(sourcesOf(folder).flatMap((file) => importsOf(readText(file)).map(packageName)))
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => !used.has(name))).toEqual([])
  })

  test('never reaches into the folder of another package', () => {
    const stray = sourcesOf(folder).flatMap((file) =>
      importsOf(readText(file))
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => !join(dirname(file), specifier).startsWith(`${folder}/src/`))
        .map((specifier) => `${file}: ${specifier}`),
    )
    expect(stray).toEqual([])
  })

  test('depends on no app, and on the testkit for tests alone', () => {
    const names = [
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.devDependencies ?? {}),
    ]
    expect(names).not.toContain('@sqlstream/cli')
    expect(Object.keys(manifest.dependencies ?? {})).not.toContain('@sqlstream/testkit')
  })
})

test('drivers are dependencies of apps and of tests alone', () => {
  const drivers = layers
    .filter((layer) => /@sqlstream\/storage-(?!conformance)/.test(layer.name))
    .map((layer) => layer.name)
  const importers = layers.filter((layer) => layer.internal.some((name) => drivers.includes(name)))
  for (const layer of importers) expect(packageOf(layer.name).folder).toMatch(/^apps\/|^packages\/testkit$/)
})

describe.each(pure)('$name runs anywhere', (layer) => {
  const { folder } = packageOf(layer.name)
  const files = sourcesOf(folder).filter((file) => !file.startsWith(`${folder}/src/node/`))

  test('its tsconfig gives it no types of Node', () => {
    const config = JSON.parse(readText(`${folder}/src/tsconfig.json`)) as {
      compilerOptions?: { types?: string[] }
    }
    const base = JSON.parse(readText('tsconfig.base.json')) as { compilerOptions: { types: string[] } }
    expect(config.compilerOptions?.types ?? base.compilerOptions.types).toEqual([])
  })

  test('it imports no built-in of Node', () => {
    expect(files.length).toBeGreaterThan(0)
    const builtins = files.flatMap((file) =>
      importsOf(readText(file)).filter((specifier) => isBuiltin(specifier)),
    )
    expect(builtins).toEqual([])
  })

  const plants = [
    [
      'an import of node:fs',
      `import { readFileSync } from 'node:fs'\nexport const planted: unknown = readFileSync\n`,
    ],
    ['a use of Buffer', 'export const planted: unknown = Buffer.alloc(1)\n'],
    ['a use of process', 'export const planted: unknown = process.pid\n'],
  ] as const

  test('the compiler accepts a copy of it', () => {
    expect(compileCopy(folder, undefined)).toEqual({ ok: true, output: '' })
  })

  test.each(plants)('the compiler refuses %s planted in a copy of it', (_, plant) => {
    const { ok, output } = compileCopy(folder, plant)
    expect(ok).toBe(false)
    expect(output).toMatch(/planted\.ts\(\d+,\d+\): error TS2591/)
  })
})

/** Compiles a copy of a package, with a file planted in it when `plant` is given. */
function compileCopy(folder: string, plant: string | undefined): { ok: boolean; output: string } {
  const root = mkdtempSync(join(tmpdir(), 'sqlstream-layers-'))
  try {
    const copy = join(root, folder)
    mkdirSync(copy, { recursive: true })
    cpSync(join(ROOT, 'tsconfig.base.json'), join(root, 'tsconfig.base.json'))
    cpSync(join(ROOT, folder, 'src'), join(copy, 'src'), { recursive: true })
    cpSync(join(ROOT, folder, 'package.json'), join(copy, 'package.json'))
    if (existsSync(join(ROOT, folder, 'node_modules'))) {
      symlinkSync(join(ROOT, folder, 'node_modules'), join(copy, 'node_modules'))
    }
    const config = join(copy, 'src/tsconfig.json')
    const { references, ...rest } = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>
    writeFileSync(config, JSON.stringify(rest))
    if (plant !== undefined) writeFileSync(join(copy, 'src/planted.ts'), plant)
    const { status, stdout } = spawnSync(tool('tsc'), ['-p', config, '--pretty', 'false'], {
      cwd: root,
      encoding: 'utf8',
    })
    return { ok: status === 0, output: stdout }
  } finally {
    rmSync(root, { recursive: true })
  }
}
