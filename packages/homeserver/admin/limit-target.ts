import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { LimitKey } from '@causeway/store/tables/limits.ts'
import type { Homeserver } from '../homeserver.ts'
import { addressBucket } from '../http/client-ip.ts'
import { ACTION_NAMES, ALL, isCountedFor, type LimitedAction, type PrincipalKind } from '../limits/actions.ts'
import { EVERYBODY } from '../limits/adjusted-limits.ts'
import { isIP } from 'node:net'
import { readServerName } from './destination-view.ts'
import { readLocalUser } from './local-user.ts'

/** All that an application service does, where its quota is everybody's. */
const QUOTA = 'application_service'

/** Which limit a command is about. */
export const limitTarget = {
  action: Type.Enum([...ACTION_NAMES, QUOTA, ALL], {
    description:
      'A name of rate_limits in the configuration; all with --appservice or --user: everything they do together',
  }),
  user: Type.Optional(Type.String({ description: 'Of one account here alone' })),
  appservice: Type.Optional(Type.String({ description: 'Of one application service alone, by its id' })),
  server: Type.Optional(Type.String({ description: 'Of one other server alone' })),
  address: Type.Optional(Type.String({ description: 'Of one IP address alone; of IPv6 its /64' })),
}

export interface LimitTarget {
  readonly action: LimitedAction | typeof QUOTA | typeof ALL
  readonly user?: string | undefined
  readonly appservice?: string | undefined
  readonly server?: string | undefined
  readonly address?: string | undefined
}

function readAddress(text: string): string {
  if (isIP(text) === 0) throw invalidParam(`"${text}" is no IP address`)
  return addressBucket(text)
}

function readAppservice(hs: Homeserver, id: string): string {
  if (!hs.appservices.registry.byId.has(id)) {
    throw notFound(`There is no application service ${id}: see \`causeway admin appservice list\``)
  }
  return id
}

/** Whom of it is; undefined: everybody. */
function readPrincipal(
  hs: Homeserver,
  { user, appservice, server, address }: LimitTarget,
): { kind: PrincipalKind; principal: string } | undefined {
  if ([user, appservice, server, address].filter((one) => one !== undefined).length > 1) {
    throw invalidParam('Only one of --user, --appservice, --server and --address')
  }
  if (user !== undefined) return { kind: 'user', principal: readLocalUser(hs, user) }
  if (appservice !== undefined) return { kind: 'appservice', principal: readAppservice(hs, appservice) }
  if (server !== undefined) return { kind: 'server', principal: readServerName(server) }
  return address === undefined ? undefined : { kind: 'address', principal: readAddress(address) }
}

/** @throws MatrixError for a limit that would limit nothing, with what would */
export function readLimitTarget(hs: Homeserver, target: LimitTarget): LimitKey {
  const { action } = target
  const whose = readPrincipal(hs, target)
  if (whose === undefined) {
    if (action === ALL) throw invalidParam('"all" is of one principal: name it, such as --user alice')
    return { ...EVERYBODY, action }
  }
  if (action === QUOTA) throw invalidParam(`"${QUOTA}" is of all of them; of one it is "all"`)
  if (action !== ALL && !isCountedFor(action, whose.kind)) {
    const possible = [...ACTION_NAMES.filter((name) => isCountedFor(name, whose.kind)), ALL].join(', ')
    throw invalidParam(`"${action}" is not counted by ${whose.kind}; these are: ${possible}`)
  }
  return { ...whose, action }
}

/** Who a limit is of, in the words of the command line. */
export function nameOf({ kind, principal }: Omit<LimitKey, 'action'>): string {
  return kind === '' ? 'everybody' : `${kind} ${principal}`
}
