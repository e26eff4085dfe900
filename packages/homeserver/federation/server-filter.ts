import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { compileGlob } from '@causeway/matrix/push-rules/glob.ts'
import type { FederationConfig } from '../federation-options.ts'

/** Whom the operator wants to have to do with. */
export interface ServerFilter {
  isAllowed(serverName: ServerName): boolean
  /** Whether its certificate is not checked. */
  isUnverified(serverName: ServerName): boolean
}

function matcher(patterns: readonly string[]): (serverName: ServerName) => boolean {
  const globs = patterns.map(compileGlob).filter((glob) => glob !== undefined)
  return (serverName) => {
    const lower = serverName.toLowerCase()
    return globs.some((glob) => glob.matches(lower))
  }
}

export function createServerFilter(
  config: Pick<FederationConfig, 'enabled' | 'allowed_servers' | 'denied_servers' | 'unverified_servers'>,
): ServerFilter {
  const isDenied = matcher(config.denied_servers)
  const isListed = config.allowed_servers.length === 0 ? () => true : matcher(config.allowed_servers)
  return {
    isAllowed: (serverName) => config.enabled && isListed(serverName) && !isDenied(serverName),
    isUnverified: matcher(config.unverified_servers),
  }
}
