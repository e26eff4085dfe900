import type { BridgesConfig } from '@causeway/bridges/config.ts'
import { checkHomeserverConfig, type HomeserverConfig } from '@causeway/homeserver/config.ts'
import { checkBridgesConfig } from './bridges/check-config.ts'
import type { Terminal } from './command.ts'
import { configSections } from './config/sections.ts'
import { loadConfig, type LoadedConfig } from './config/load.ts'

export interface Settings {
  readonly config: HomeserverConfig
  readonly bridges: BridgesConfig
  readonly loaded: LoadedConfig
  /** The file that was read, if any. */
  readonly file: string | undefined
}

function checkAll(values: Record<string, unknown>): ReturnType<typeof checkBridgesConfig> {
  const config = values as HomeserverConfig
  return [...checkHomeserverConfig(config), ...checkBridgesConfig(values['bridges'] as BridgesConfig, config)]
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
    check: checkAll,
  })
  const { values } = loaded
  return { config: values as HomeserverConfig, bridges: values['bridges'] as BridgesConfig, loaded, file }
}
