import { statfs } from 'node:fs/promises'

/** Magic numbers of Linux for file systems whose files change elsewhere without an event here. */
const NETWORK: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'CIFS',
  4266872130: 'SMB2',
  16914839: '9P',
  1702057286: 'FUSE',
  12805120: 'Ceph',
  1397113167: 'AFS',
  1799439955: 'AFS',
  198183888: 'Lustre',
  1196443219: 'GPFS',
  1937076805: 'Coda',
  2020557398: 'VirtualBox',
}

/** The name of the network file system that a path is on, or undefined for a local or an unknown one. */
export async function networkFileSystem(path: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    return NETWORK[(await statfs(path)).type >>> 0]
  } catch {
    return undefined
  }
}
