import { serveReplica } from '@sqlstream/read-replica/web/worker'

serveReplica()
