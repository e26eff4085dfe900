import { checkHomeserverConfig, type HomeserverConfig } from '@causeway/homeserver/config.ts'
import type { Terminal } from './command.ts'
import { configSections } from './config/sections.ts'
import { loadConfig, type LoadedConfig } from './config/load.ts'

export interface Settings {
  readonly config: HomeserverConfig
  readonly loaded: LoadedConfig
  /** The file that was read, if any. */
  readonly file: string | undefined
}

/**
 * Reads the configuration as all commands do: the file named by `--config` or `CAUSEWAY_CONFIG`, the environment,
 * the defaults.
 * @throws ConfigError
 */
export function loadSettings(terminal: Pick<Terminal, 'environment' | 'folder'>, named?: string): Settings {
  const file = named ?? terminal.environment['CAUSEWAY_CONFIG']
  const loaded = loadConfig({
    sections: configSections,
    file,
    environment: terminal.environment,
    folder: terminal.folder,
    check: (values) => checkHomeserverConfig(values as HomeserverConfig),
  })
  return { config: loaded.values as HomeserverConfig, loaded, file }
}
