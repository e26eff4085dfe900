import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import type { Target } from '@causeway/homeserver/federation/discovery/discovery.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { fail, ok, warn, type Finding } from '../finding.ts'
import { adviseDelegation, planDelegation } from './delegation.ts'
import { openDoctorNetwork, readOwnDocument, type DoctorNetwork, type DoctorParts } from './probe.ts'

const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const placeOf = ({ host, port, tlsName }: Target): string =>
  host === tlsName ? `${host}:${port}` : `${host}:${port} (certificate for ${tlsName})`

/** What keeps others from reaching us at a place; undefined when nothing does. */
async function findObstacle(
  target: Target,
  serverName: ServerName,
  network: DoctorNetwork,
): Promise<string | undefined> {
  try {
    const document = readOwnDocument(
      await network.getJson(target, '/_matrix/key/v2/server'),
      serverName,
      network.ownKeys,
    )
    return typeof document === 'string' ? document : undefined
  } catch (error) {
    return describe(error)
  }
}

function checkPlan(config: HomeserverConfig, targets: readonly Target[]): Finding[] {
  if (config.federation.delegate === undefined) return []
  const { host, port } = planDelegation(config)
  if (targets.some((one) => one.tlsName === host && one.port === port)) return []
  const wanted = `${host}:${port}`
  return [
    warn(
      `Federation: federation.delegate says ${wanted}, but others are led to ${targets.map(placeOf).join(', ')}`,
    ),
  ]
}

/**
 * Follows the way that other servers take from the server name to this server, and says exactly what is missing on
 * it: files, DNS lines, what a proxy needs.
 */
export async function checkFederation(config: HomeserverConfig, parts: DoctorParts = {}): Promise<Finding[]> {
  if (!config.federation.enabled) return [ok('Federation: off')]
  const serverName = config.server_name as ServerName
  if (LOCAL.test(serverName)) {
    return [ok(`Federation: ${serverName} is a name for this machine alone; other servers cannot reach it`)]
  }
  using network = await openDoctorNetwork(config, parts)
  if (network.ownKeys.size === 0) {
    return [warn('Federation: the server has no key yet; ask again while it runs')]
  }
  const { targets, steps } = await network.discovery
    .find(serverName)
    .catch((error: unknown) => ({ targets: [], steps: [describe(error)] }))
  const findings = steps.map((step) => ok(`Federation: ${step}`))
  let advice: readonly string[] | undefined = adviseDelegation(planDelegation(config))
  for (const target of targets) {
    const obstacle = await findObstacle(target, serverName, network)
    const place = placeOf(target)
    if (obstacle === undefined) findings.push(ok(`Federation: this server answers at ${place}`))
    else {
      findings.push(fail(`Federation: other servers are led to ${place}: ${obstacle}`, advice))
      // Once is enough.
      advice = undefined
    }
  }
  if (targets.length === 0) findings.push(fail(`Federation: ${serverName} leads nowhere`, advice))
  return [...findings, ...checkPlan(config, targets)]
}
