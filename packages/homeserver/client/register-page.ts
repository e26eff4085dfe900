import { Type } from 'typebox'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findRegistrationToken,
  isUsable,
  type RegistrationToken,
} from '@causeway/store/tables/registration-tokens.ts'
import { REGISTRATION_PAGE } from '../accounts/first-admin.ts'
import {
  formPage,
  MIN_PAGE_PASSWORD,
  refusalPage,
  welcomePage,
  type FormFault,
} from '../accounts/pages/registration-page.ts'
import { MAX_PASSWORD_LENGTH, RegistrationTokenRefused, registerUser } from '../accounts/register-user.ts'
import { acceptedTerms } from '../accounts/registration-policy.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import type { Homeserver } from '../homeserver.ts'
import { readBody } from '../http/body.ts'
import { defineEndpoint, type HttpResponse } from '../http/endpoint.ts'

// A plain form: it works without a script, by keyboard, on a telephone and in a screen reader.

const MAX_FORM_BYTES = 8 * 1024

async function findUsable(hs: Homeserver, token: string | null): Promise<RegistrationToken | undefined> {
  if (token === null || token.length > 64) return undefined
  const found = await findRegistrationToken(hs.db, token)
  return found !== undefined && isUsable(found, hs.clock.now()) ? found : undefined
}

export const showRegistrationPage = defineEndpoint({
  operation: 'showRegistrationPage',
  method: 'GET',
  path: REGISTRATION_PAGE,
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({ token: Type.Optional(Type.String()) }),
  run: async (hs, { query }) => {
    const token = await findUsable(hs, query.token ?? null)
    return token === undefined ? refusalPage() : formPage(hs, token)
  },
})

export const submitRegistrationPage = defineEndpoint({
  operation: 'submitRegistrationPage',
  method: 'POST',
  path: REGISTRATION_PAGE,
  auth: 'none',
  rateLimit: 'registration',
  body: 'stream',
  maxBodyBytes: MAX_FORM_BYTES,
  run: async (hs, { raw, ip }) => {
    const bytes = await readBody(raw, MAX_FORM_BYTES, hs.clock)
    const form = new URLSearchParams(Buffer.from(bytes).toString())
    const token = await findUsable(hs, form.get('token'))
    return token === undefined ? refusalPage() : registerFromForm(hs, form, token, ip)
  },
})

function faultOf({ config }: Homeserver, form: URLSearchParams): FormFault | undefined {
  const password = form.get('password') ?? ''
  if ((form.get('username') ?? '') === '') return { field: 'username', message: 'Choose a user name.' }
  if (password.length > MAX_PASSWORD_LENGTH || password.length < MIN_PAGE_PASSWORD) {
    return { field: 'password', message: `The password needs at least ${MIN_PAGE_PASSWORD} characters.` }
  }
  if (password !== form.get('repeat'))
    return { field: 'repeat', message: 'The two passwords are not the same.' }
  const open = config.registration.terms.find(({ id }) => form.get(`terms:${id}`) === null)
  return open === undefined ? undefined : { field: 'terms', message: `Please agree to: ${open.name}` }
}

async function registerFromForm(
  hs: Homeserver,
  form: URLSearchParams,
  token: RegistrationToken,
  ip: string,
): Promise<HttpResponse> {
  const username = (form.get('username') ?? '').trim().slice(0, 255)
  const fault = faultOf(hs, form)
  if (fault !== undefined) return formPage(hs, token, { username, fault })
  try {
    const userId = await chooseUserId(hs, username)
    await registerUser(hs, {
      userId,
      password: form.get('password')!,
      displayName: localpartOf(userId),
      isAdmin: token.makesAdmin,
      registrationToken: token.token,
      termsAccepted: acceptedTerms(hs.config),
      ip,
    })
    return welcomePage(hs, userId, token.makesAdmin)
  } catch (error) {
    if (error instanceof RegistrationTokenRefused) return refusalPage()
    if (!(error instanceof MatrixError) || error.status >= 500) throw error
    const field = error.errcode === 'M_WEAK_PASSWORD' ? 'password' : 'username'
    return formPage(hs, token, { username, fault: { field, message: `${error.message}.` } })
  }
}
