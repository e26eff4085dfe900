import { hkdfSync } from 'node:crypto'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { BridgesConfig } from './config.ts'
import { findAccount } from './core/accounts.ts'
import { createGhostIds } from './core/ghost-ids.ts'
import type { People } from './core/ghost-ids.ts'
import { startHub } from './core/hub.ts'
import type { Hub } from './core/hub.ts'
import type { HubLog, HubSettings } from './core/hub-context.ts'
import type { MatrixPort } from './core/matrix-port.ts'
import type { Network } from './core/network.ts'
import { createIrcNetwork } from './networks/irc/network.ts'
import { readIrcServers } from './networks/irc/read-config.ts'
import type { IrcServerOptions } from './networks/irc/server-options.ts'

export interface BridgesDeps {
  readonly db: Database
  readonly port: MatrixPort
  readonly clock: Clock
  readonly random: Random
  readonly log: HubLog
  /** A secret that stays the same across restarts: seals what people entrust us. */
  readonly secret: string
  /** For what configuration cannot say (tests): applied to each server. */
  readonly adjustIrc?: (server: IrcServerOptions) => IrcServerOptions
}

/** A connection that breaks takes several messages with it within moments. */
const GATHER_TROUBLE_MS = 1_500

function settingsOf(config: BridgesConfig, secret: string): HubSettings {
  return {
    mediaLinkMs: config.media_links,
    lateAfterMs: config.late_after,
    expiresAfterMs: config.expires_after,
    rememberMs: config.remember,
    consentMs: config.consent_within,
    gatherTroubleMs: GATHER_TROUBLE_MS,
    botName: config.bot_name,
    sealKey: new Uint8Array(hkdfSync('sha256', secret, '', 'causeway bridge accounts', 32)),
  }
}

/** The hub with every network of a configuration. Resolves once it takes transactions; networks connect meanwhile. */
export async function startBridges(config: BridgesConfig, deps: BridgesDeps): Promise<Hub> {
  const { db, port, clock, random, log } = deps
  const settings = settingsOf(config, deps.secret)
  const ghostIds = createGhostIds(config.ghost_prefix, port.serverName)
  const onFault = (error: unknown): void => log.error('a bridge has a fault', { error })
  const peopleOf = (network: string): People => ({
    userIdOf: (server, person) => ghostIds.userIdOf(network, server, person.id),
    remoteIdOf: (server, userId) => {
      const ghost = ghostIds.parse(userId)
      return ghost?.network === network && ghost.server === server ? ghost.remoteId : undefined
    },
  })
  const networks: Network[] = [
    createIrcNetwork({
      servers: readIrcServers(config).map(deps.adjustIrc ?? ((server) => server)),
      ...{ clock, random, onFault, people: peopleOf('irc') },
      findAccount: (server, userId) =>
        findAccount({ db, sealKey: settings.sealKey }, { network: 'irc', server, userId }),
    }),
  ]
  return startHub({ db, port, networks, ghostIds, settings, clock, random, log })
}
