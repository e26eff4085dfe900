import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { UserSettingKind } from './user-setting.ts'

/** More than anybody ignores by hand; what is beyond it is not looked at. */
const MAX_IGNORED = 2_000

/** Whom each user does not want to hear. https://spec.matrix.org/v1.19/client-server-api/#ignoring-users */
export const IGNORED_USERS: UserSettingKind<readonly string[]> = {
  name: 'ignored_users',
  types: ['m.ignored_user_list'],
  read([content]) {
    const users = isJsonObject(content) ? content['ignored_users'] : undefined
    return isJsonObject(users) ? Object.keys(users).slice(0, MAX_IGNORED) : []
  },
  weigh: (names) => 100 + names.length * 100,
}
