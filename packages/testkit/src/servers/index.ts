export { AZURE_DIALECT } from './azure-dialect.ts'
export { type Azurite, startAzurite } from './azurite.ts'
export { FakeGCS } from './fake-gcs.ts'
export { type FakeGCSServer, startFakeGCSServer } from './fake-gcs-server.ts'
export { FakeS3 } from './fake-s3.ts'
export { FaultProxy, type TCPFault } from './fault-proxy.ts'
export {
  FaultyHttpServer,
  type HttpReply,
  type HttpRequest,
  type HttpRequestHead,
  type HttpServerOptions,
  type HttpService,
  type HttpTraffic,
} from './faulty-http-server.ts'
export type { GCSBucket, GCSObject, GCSResource } from './gcs-bucket.ts'
export type { GCSServiceOptions } from './gcs-service.ts'
export { type HttpFault, HttpFaultPlan, type HttpFaultRule } from './http-faults.ts'
export { type HttpDialect, proxyTo } from './http-proxy.ts'
export { startMoto } from './moto.ts'
export { type NATSServer, startNATS } from './nats.ts'
export { startRadosgw } from './radosgw.ts'
export type { S3Bucket, S3Object, S3Upload } from './s3-bucket.ts'
export type { S3Server } from './s3-server.ts'
export type { S3ServiceOptions } from './s3-service.ts'
export { serverOrReason } from './server-or-reason.ts'
export { freePort, type ServerCommand, ServerProcess } from './server-process.ts'
export { SSHD, type SSHDOptions, startSSHD } from './sshd.ts'
export { startVersityGW } from './versitygw.ts'
export { startApache, startLighttpd, startNginx, startRcloneWebDAV, type WebDAVServer } from './webdav.ts'
