/** Where the store is, who we are there, and how the server proves itself. */
export interface SFTPStoreOptions {
  readonly host: string
  /** Default: 22. */
  readonly port?: number | undefined
  /** Default: the name of the user who runs this process. */
  readonly user?: string | undefined
  /** Folder of the store; a relative one is below the login folder. Default: the login folder. */
  readonly path?: string | undefined
  readonly password?: string | undefined
  /**
   * File of a private key. Default, when there is no password either: the agent of SSH_AUTH_SOCK, then `id_ed25519`, `id_ecdsa`
   * and `id_rsa` in `~/.ssh`, those that exist.
   */
  readonly keyPath?: string | undefined
  /** Of the private key. */
  readonly passphrase?: string | undefined
  /** The server's key: fingerprints ("SHA256:…") or public keys ("ssh-ed25519 AAAA…"). One of them it must be. */
  readonly hostKeys?: readonly string[] | undefined
  /** Accept any server key: for networks where nobody can be in between. Default: false. */
  readonly anyHostKey?: boolean | undefined
  /** Files in the format of ssh. Default: `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`. */
  readonly knownHostsPaths?: readonly string[] | undefined
  /**
   * Make the folder with the first put; until then the store is empty. With false, a missing folder is 'not-found' for every
   * call. Default: true.
   */
  readonly createRoot?: boolean | undefined
  /** Milliseconds that any single request may take before the connection counts as dead. Default: 30,000. */
  readonly requestLimitMs?: number | undefined
  /** Milliseconds until a new connection must be usable. Default: 20,000. */
  readonly connectLimitMs?: number | undefined
  /** Milliseconds after which a connection without work is closed; the next call makes a new one. Default: 60,000. */
  readonly idleLimitMs?: number | undefined
}
