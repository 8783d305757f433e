import { replicate } from '@sqlstream/cli'
import { App } from './app.ts'

// An application that replicates its own database and then waits for its end. Arguments: path, a configuration as JSON, how many commits follow.

const [path = '', config = '', commits = ''] = process.argv.slice(2)
const app = new App(path)
const replication = await replicate(JSON.parse(config) as Parameters<typeof replicate>[0])
await replication.durable()
app.commit(Number(commits))
process.stdout.write(`engine ${replication.pid}\n`)
