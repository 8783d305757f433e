import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort, ServerProcess } from './server-process.ts'

/** A WebDAV server on 127.0.0.1 without login. */
export interface WebDAVServer extends AsyncDisposable {
  readonly process: ServerProcess
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** The folder that it serves. */
  readonly root: string
}

interface Program {
  readonly name: string
  readonly program: string
  /** Text of its configuration and the arguments to start with it. */
  configure(place: { folder: string; root: string; port: number; config: string }): {
    readonly config: string
    readonly args: readonly string[]
  }
}

async function start({ name, program, configure }: Program): Promise<WebDAVServer> {
  // In memory where that is possible.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = mkdtempSync(join(parent, `sqlstream-${name}-`))
  try {
    const root = join(folder, 'root')
    for (const path of [root, join(folder, 'temp')]) {
      mkdirSync(path)
      // Started by root, workers run as another user.
      chmodSync(path, 0o777)
    }
    chmodSync(folder, 0o755)
    const port = await freePort()
    const file = join(folder, 'config')
    const { config, args } = configure({ folder, root, port, config: file })
    writeFileSync(file, config)
    const process = await ServerProcess.start({ program, args, port, cwd: folder, hasWorkers: true })
    return {
      process,
      root,
      url: `http://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        await process[Symbol.asyncDispose]()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** Keeps preconditions, also of writers that race. */
export function startLighttpd(): Promise<WebDAVServer> {
  return start({
    name: 'lighttpd',
    program: '/usr/sbin/lighttpd',
    configure: ({ folder, root, port, config }) => ({
      args: ['-D', '-f', config],
      config: `server.document-root = "${root}"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ( "mod_webdav" )
server.upload-dirs = ( "${folder}/temp" )
# Without a type GET has no ETag.
mimetype.assign = ( "" => "application/octet-stream" )
webdav.activate = "enable"
`,
    }),
  })
}

/** Keeps preconditions of writers that come one after another; of those that race, several may win. */
export function startApache(): Promise<WebDAVServer> {
  const modules = ['mpm_event', 'authz_core', 'dav', 'dav_fs']
  const user = userInfo().uid === 0 ? 'User www-data\nGroup www-data\n' : ''
  return start({
    name: 'apache',
    program: '/usr/sbin/apache2',
    configure: ({ folder, root, port, config }) => ({
      args: ['-f', config, '-D', 'FOREGROUND'],
      config: `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
${user}DavLockDB ${folder}/temp/locks
DocumentRoot ${root}
<Directory />
  Require all granted
  Dav On
</Directory>
`,
    }),
  })
}

/** Ignores preconditions; its ETags are second and size. */
export function startNginx(): Promise<WebDAVServer> {
  const user = userInfo().uid === 0 ? 'user www-data;\n' : ''
  return start({
    name: 'nginx',
    program: '/usr/sbin/nginx',
    configure: ({ folder, root, port, config }) => ({
      args: ['-e', 'stderr', '-c', config],
      config: `daemon off;
${user}worker_processes 2;
pid ${folder}/pid;
error_log stderr;
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
events { worker_connections 256; }
http {
  access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${folder}/temp;`).join('\n')}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    root ${root};
    location / {
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
    }
  }
}
`,
    }),
  })
}

/** Ignores preconditions, and shows parts of a PUT while it runs. */
export function startRcloneWebDAV(): Promise<WebDAVServer> {
  return start({
    name: 'rclone',
    program: 'rclone',
    configure: ({ root, port, config }) => ({
      args: ['serve', 'webdav', root, '--addr', `127.0.0.1:${port}`, '--config', config],
      config: '',
    }),
  })
}
