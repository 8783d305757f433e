import { fingerprintOf, type KnownHost, knownHostName, matchesKnownHost } from './known-hosts.ts'

/** What is known of a server's key before it is met. */
export interface HostKeyPolicy {
  /** Fingerprints ("SHA256:…") or public keys ("ssh-ed25519 AAAA…"), one of which it must be. Then nothing else counts. */
  readonly pinned: readonly string[]
  readonly known: readonly KnownHost[]
  /** Accept any key: only where the network between is trusted. */
  readonly any: boolean
}

/** Why a key is not accepted. */
export interface HostKeyProblem {
  readonly message: string
  readonly hint: string
}

/** A server as it is addressed. */
export interface HostAddress {
  readonly host: string
  readonly port: number
}

/** Decides on a key as the server sends it. @returns undefined when it is accepted */
export function judgeHostKey(
  key: Uint8Array,
  address: HostAddress,
  policy: HostKeyPolicy,
): HostKeyProblem | undefined {
  const encoded = Buffer.from(key).toString('base64')
  const fingerprint = fingerprintOf(key)
  const offered = `${keyType(key)} ${fingerprint}`
  const name = knownHostName(address.host, address.port)
  const known = policy.known.filter((each) => matchesKnownHost(each, name))
  if (known.some((each) => each.revoked && each.key === encoded)) {
    return { message: `the key of ${name} (${offered}) is revoked in known_hosts`, hint: ASK }
  }
  if (policy.any) return undefined
  if (policy.pinned.length > 0) {
    if (policy.pinned.some((pin) => pin === fingerprint || publicKeyOf(pin)?.key === encoded))
      return undefined
    return { message: `${name} has another key than the given one: ${offered}`, hint: ASK }
  }
  const current = known.filter((each) => !each.revoked)
  if (current.some((each) => each.key === encoded)) return undefined
  if (current.length > 0) {
    return { message: `${name} has another key than known_hosts says: ${offered}`, hint: ASK }
  }
  return {
    message: `the key of ${name} is not known: ${offered}`,
    hint: `Compare it with the server's, then give host-key=${fingerprint}, or connect once with ssh so that known_hosts has it.`,
  }
}

const ASK =
  'Somebody may be between you and the server. Ask whoever runs it whether its key was changed; if so, give the new one.'

/** Key types to ask the server for, since it sends only one of its keys; undefined when any would do. */
export function wantedKeyTypes(address: HostAddress, policy: HostKeyPolicy): string[] | undefined {
  if (policy.any) return undefined
  const name = knownHostName(address.host, address.port)
  const known = policy.known.filter((each) => !each.revoked && matchesKnownHost(each, name))
  const types =
    policy.pinned.length > 0
      ? policy.pinned.map((pin) => publicKeyOf(pin)?.type)
      : known.map(({ type }) => type)
  if (types.length === 0 || types.includes(undefined)) return undefined
  return [
    ...new Set(types.flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type!]))),
  ]
}

/** The parts of "ssh-ed25519 AAAA… comment". */
export function publicKeyOf(line: string): { readonly type: string; readonly key: string } | undefined {
  const [type, key] = line.trim().split(/\s+/)
  return key === undefined || !/^[A-Za-z0-9+/]+=*$/.test(key) ? undefined : { type: type!, key }
}

function keyType(key: Uint8Array): string {
  const { byteLength, buffer, byteOffset } = key
  const length = byteLength < 4 ? 0 : new DataView(buffer, byteOffset).getUint32(0)
  const type = Buffer.from(key.subarray(4, 4 + Math.min(length, 64))).toString('latin1')
  return /^[a-z0-9@.-]+$/.test(type) ? type : 'key'
}
