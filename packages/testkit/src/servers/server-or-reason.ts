/**
 * Starts a server that may not be installed on this machine.
 *
 * @returns the server, or the reason why it cannot run here, to be named by the test that is skipped
 * @throws Error in CI, where a server that does not start is a failure
 */
export async function serverOrReason<Server extends object>(
  name: string,
  start: () => Promise<Server>,
): Promise<Server | { readonly reason: string }> {
  try {
    return await start()
  } catch (error) {
    const reason = `no ${name} here: ${(error as Error).message}`
    if (process.env['CI']) throw new Error(reason, { cause: error })
    return { reason }
  }
}
