import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { compileGlob, type Glob } from '@causeway/matrix/push-rules/glob.ts'
import type { RoomEngine } from './engine.ts'
import type { UserSettingKind } from './user-setting.ts'

/** What becomes of an invitation: `ignore`: whoever sends it is not told that nobody sees it. */
export type InviteVerdict = 'allow' | 'ignore' | 'block'

/** Whose invitations a user wants: the first rule that fits says so, and without one they are wanted. */
export interface InviteRules {
  readonly blocksAll: boolean
  readonly rules: readonly InviteRule[]
}

interface InviteRule {
  readonly verdict: InviteVerdict
  readonly of: 'users' | 'servers'
  readonly globs: readonly Glob[]
}

/** Of one list; what is beyond it is not looked at. */
const MAX_GLOBS = 1_000

/** Users go before servers, and what allows before what forbids. */
const LISTS = [
  ['allow', 'users', 'allowed_users'],
  ['ignore', 'users', 'ignored_users'],
  ['block', 'users', 'blocked_users'],
  ['allow', 'servers', 'allowed_servers'],
  ['ignore', 'servers', 'ignored_servers'],
  ['block', 'servers', 'blocked_servers'],
] as const

function globsIn(list: unknown): Glob[] {
  const patterns = Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
  return patterns.slice(0, MAX_GLOBS).flatMap((pattern) => compileGlob(pattern) ?? [])
}

/**
 * The specified setting blocks all invitations; that of MSC4155 tells whose, by glob patterns.
 * https://spec.matrix.org/v1.19/client-server-api/#invite-permission
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4155
 */
export const INVITE_PERMISSIONS: UserSettingKind<InviteRules> = {
  name: 'invite_permissions',
  types: ['m.invite_permission_config', 'org.matrix.msc4155.invite_permission_config'],
  read([all, some]) {
    const lists = isJsonObject(some) && some['enabled'] !== false ? some : {}
    return {
      blocksAll: isJsonObject(all) && all['default_action'] === 'block',
      rules: LISTS.map(([verdict, of, key]) => ({ verdict, of, globs: globsIn(lists[key]) })).filter(
        ({ globs }) => globs.length > 0,
      ),
    }
  },
  weigh: ({ rules }) => 200 + 300 * rules.reduce((sum, { globs }) => sum + globs.length, 0),
}

/** What the rules say of an invitation by somebody. */
export function verdictOn({ blocksAll, rules }: InviteRules, inviter: UserId): InviteVerdict {
  if (blocksAll) return 'block'
  const names = { users: inviter.toLowerCase(), servers: serverNameOf(inviter).toLowerCase() }
  return rules.find(({ of, globs }) => globs.some((glob) => glob.matches(names[of])))?.verdict ?? 'allow'
}

/** @throws MatrixError `M_INVITE_BLOCKED` when one of our users does not want to be invited by somebody */
export async function requireInviteWanted(
  engine: Pick<RoomEngine, 'invitePermissions'>,
  inviter: UserId,
  invited: UserId,
): Promise<void> {
  if (verdictOn(await engine.invitePermissions.of(invited), inviter) !== 'block') return
  throw new MatrixError('M_INVITE_BLOCKED', `${invited} does not want to be invited by you`)
}

/** Whose invitations a user does not want to see. */
export interface HiddenInvites {
  readonly ignored: readonly string[]
  readonly invites: InviteRules
}

export async function hiddenInvitesOf(
  { ignored, invitePermissions }: Pick<RoomEngine, 'ignored' | 'invitePermissions'>,
  userId: UserId,
): Promise<HiddenInvites> {
  const [names, invites] = await Promise.all([ignored.of(userId), invitePermissions.of(userId)])
  return { ignored: names, invites }
}

/** Whether there may be any such invitation: else nobody has to look whose they are. */
export function hidesInvites({ ignored, invites }: HiddenInvites): boolean {
  return ignored.length > 0 || invites.rules.some(({ verdict }) => verdict === 'ignore')
}

export function isInviteHidden({ ignored, invites }: HiddenInvites, inviter: UserId): boolean {
  return ignored.includes(inviter) || verdictOn(invites, inviter) === 'ignore'
}
