import { bridgesConfigSchema } from '@causeway/bridges/config.ts'
import { homeserverConfigSections } from '@causeway/homeserver/config.ts'
import type { ConfigSections } from './option-schema.ts'

/** The options of every package, by their place in the configuration file. */
export const configSections: ConfigSections = { ...homeserverConfigSections, bridges: bridgesConfigSchema }
