import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import ssh2 from 'ssh2'

/** An SSH server in this process that knows one password and has nothing behind it: sshd would ask this machine's users. */
export async function startPasswordServer(options: {
  readonly password: string
  readonly method?: 'password' | 'keyboard-interactive'
}) {
  const { password, method = 'password' } = options
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on('error', () => {})
    client.on('authentication', (context) => {
      if (context.method !== method) context.reject([method])
      else if (context.method === 'password') {
        if (context.password === password) context.accept()
        else context.reject()
      } else if (context.method === 'keyboard-interactive') {
        context.prompt([{ prompt: 'Password: ', echo: false }], ([answer]) => {
          if (answer === password) context.accept()
          else context.reject()
        })
      }
    })
    client.on('session', (accept) => accept())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: (given: string) => new URL(`sftp://me:${given}@127.0.0.1:${port}/x?host-key=any`),
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}
