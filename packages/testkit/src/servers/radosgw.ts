import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runProgram } from '../run-program.ts'
import { TempFolder } from '../temp-folder.ts'
import { S3_CREDENTIALS, type S3Server } from './s3-server.ts'
import { freePort, ServerProcess } from './server-process.ts'

const DAEMON_PORTS = 4

/**
 * Starts Ceph's S3 gateway, with a monitor and one storage daemon that keeps everything in memory. Takes about 15 s.
 * @param minPartBytes least bytes of a part of an upload that is not the last. Default: 5 MiB
 */
export async function startRadosgw(minPartBytes: number = 5 << 20): Promise<S3Server> {
  const folder = new TempFolder('radosgw')
  const started: ServerProcess[] = []
  async function end(): Promise<void> {
    for (const server of started.reverse()) await server[Symbol.asyncDispose]()
    folder.remove()
  }
  try {
    const ports = await Promise.all(Array.from({ length: DAEMON_PORTS }, () => freePort()))
    const [monitorV2 = 0, monitorV1 = 0, gateway = 0, storage = 0] = ports
    const fsid = crypto.randomUUID()
    const config = folder.join('ceph.conf')
    const keyring = folder.join('keyring')
    const addresses = `[v2:127.0.0.1:${monitorV2},v1:127.0.0.1:${monitorV1}]`
    writeFileSync(config, cephConfig({ folder, fsid, addresses, gateway, storage, keyring, minPartBytes }))
    const ceph = (program: string, ...args: string[]) => runProgram(program, ['-c', config, ...args])
    for (const [name, capabilities] of KEYS) {
      await runProgram('ceph-authtool', [
        ...(name === 'mon.' ? ['--create-keyring'] : []),
        keyring,
        '--gen-key',
        '-n',
        name,
        ...capabilities.flatMap((capability) => ['--cap', ...capability]),
      ])
    }
    const map = folder.join('monmap')
    await runProgram('monmaptool', ['--create', '--addv', 'a', addresses, '--fsid', fsid, map])
    await ceph('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring)
    const daemon = (program: string, args: readonly string[], port: number) =>
      ServerProcess.start({ program, args: ['-c', config, ...args], port }).then((server) =>
        started.push(server),
      )
    await daemon('ceph-mon', ['-i', 'a', '-f'], monitorV2)
    const uuid = crypto.randomUUID()
    await ceph('ceph', 'osd', 'new', uuid)
    mkdirSync(folder.join('osd'))
    copyFileSync(keyring, folder.join('osd', 'keyring'))
    await ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', uuid)
    await daemon('ceph-osd', ['-i', '0', '-f'], storage)
    const { accessKeyId, secretAccessKey } = S3_CREDENTIALS
    const user = ['user', 'create', '--uid=test', '--display-name=test']
    await ceph('radosgw-admin', ...user, `--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`)
    await daemon('radosgw', ['-n', 'client.rgw.a', '-f'], gateway)
    const endpoint = `http://127.0.0.1:${gateway}`
    // The port is open before the gateway answers.
    for (let n = 0; n < 100 && !(await answers(endpoint)); n++) await sleep(100)
    return { endpoint, credentials: S3_CREDENTIALS, [Symbol.asyncDispose]: end }
  } catch (error) {
    await end()
    throw error
  }
}

const ALL = 'allow *'
const KEYS: readonly (readonly [name: string, capabilities: readonly (readonly [string, string])[]])[] = [
  ['mon.', [['mon', ALL]]],
  [
    'client.admin',
    [
      ['mon', ALL],
      ['osd', ALL],
    ],
  ],
  [
    'osd.0',
    [
      ['mon', 'allow profile osd'],
      ['osd', ALL],
    ],
  ],
  [
    'client.rgw.a',
    [
      ['mon', 'allow rw'],
      ['osd', 'allow rwx'],
    ],
  ],
]

async function answers(endpoint: string): Promise<boolean> {
  return fetch(endpoint).then(
    () => true,
    () => false,
  )
}

interface CephPlace {
  readonly folder: TempFolder
  readonly fsid: string
  readonly addresses: string
  readonly gateway: number
  readonly storage: number
  readonly keyring: string
  readonly minPartBytes: number
}

function cephConfig({ folder, fsid, addresses, gateway, storage, keyring, minPartBytes }: CephPlace): string {
  return `[global]
fsid = ${fsid}
mon host = ${addresses}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = ${storage}
ms bind port max = ${storage + 10}
keyring = ${keyring}
run dir = ${folder.path}
pid file = ${folder.path}/$name.pid
admin socket = ${folder.path}/$name.asok
crash dir = ${folder.path}
log file = ${folder.path}/$name.log
mon data = ${folder.path}/mon
osd data = ${folder.path}/osd
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 8589934592
osd class update on start = false
mon data avail crit = 1
mon osd full ratio = .97
mon osd nearfull ratio = .97
mon osd backfillfull ratio = .97
osd failsafe full ratio = .98

[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw data = ${folder.path}/rgw
rgw data log num shards = 1
rgw lc max objs = 1
rgw gc max objs = 1
rgw multipart min part size = ${minPartBytes}
`
}
