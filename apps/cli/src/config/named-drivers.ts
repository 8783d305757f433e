import { loadDriver, type NamedDriver } from '../load-driver.ts'
import { type ConfigFileResult, readConfigFile, usableConfig } from './read-config.ts'

/** The drivers that a configuration file names, loaded. None when there is no file. */
export async function namedDrivers(file: string | undefined): Promise<readonly NamedDriver[]> {
  const result = await readConfigFile(file)
  return result === undefined ? [] : driversOf(result)
}

/** The same for a file that was read. */
export async function driversOf(result: ConfigFileResult): Promise<readonly NamedDriver[]> {
  return Promise.all(usableConfig(result).drivers.map((name) => loadDriver(name, result.folder)))
}
