import type { RegistrationToken } from '@causeway/store/tables/registration-tokens.ts'
import { publicBaseUrl } from '../../config.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { HttpResponse } from '../../http/endpoint.ts'
import { REGISTRATION_PAGE } from '../first-admin.ts'
import { MAX_PASSWORD_LENGTH } from '../register-user.ts'
import { html, htmlPage, type Html } from './html.ts'

type Deps = Pick<Homeserver, 'config' | 'serverName'>

/** What is wrong with what was typed, and with which field. */
export interface FormFault {
  readonly field: 'username' | 'password' | 'repeat' | 'terms'
  readonly message: string
}

/** Passwords typed here protect more than a test account. */
export const MIN_PAGE_PASSWORD = 8

/** For a link that is not good (any more); it tells nobody why. */
export function refusalPage(): HttpResponse {
  return htmlPage(
    403,
    'This link cannot be used',
    html`<p>
      It was used before, has expired, or was not copied completely. Ask whoever runs this server for a new
      one.
    </p>`,
  )
}

function describedBy(field: string, faulty: boolean): Html {
  const error = faulty ? html`aria-invalid="true" ` : html``
  return html`${error}aria-describedby="${field}-hint${faulty ? ' error' : ''}"`
}

function termsFields({ config }: Deps, faulty: boolean): Html[] {
  const { terms } = config.registration
  const invalid = faulty ? html` aria-invalid="true" aria-describedby="error"` : html``
  return terms.map(
    ({ id, name, url, language }) =>
      html`<label class="check"
        ><input type="checkbox" name="terms:${id}" required${invalid} />
        <span
          >I agree to
          <a href="${url}" hreflang="${language}" rel="noreferrer" target="_blank">${name}</a> (opens in a new
          tab)</span
        ></label
      > `,
  )
}

/** The form; after a fault with what was typed, but never with a password. */
export function formPage(
  hs: Deps,
  token: RegistrationToken,
  typed: { readonly username: string; readonly fault?: FormFault | undefined } = { username: '' },
): HttpResponse {
  const { fault, username } = typed
  const is = (field: FormFault['field']): boolean => fault?.field === field
  const intro = token.makesAdmin
    ? html`<p>
        You are about to become the first administrator of the Matrix server
        <strong>${hs.serverName}</strong>.
      </p>`
    : html`<p>You were invited to make an account on the Matrix server <strong>${hs.serverName}</strong>.</p>`
  const error =
    fault === undefined
      ? html``
      : html`<p class="error" id="error" role="alert">
          <strong>That did not work.</strong> ${fault.message}
        </p>`
  const title = `${fault === undefined ? '' : 'Error: '}${token.makesAdmin ? 'Set up your server' : 'Make your account'}`
  return htmlPage(
    fault === undefined ? 200 : 400,
    title,
    html`${intro} ${error}
      <form method="post" action="${REGISTRATION_PAGE}">
        <input type="hidden" name="token" value="${token.token}" />
        <label for="username">User name</label>
        <p class="hint" id="username-hint">
          Letters a to z, digits, and . _ - It cannot be changed later: you will be @name:${hs.serverName}
        </p>
        <input
          id="username"
          name="username"
          value="${username}"
          required
          maxlength="200"
          autocomplete="username"
          autocapitalize="none"
          autocorrect="off"
          spellcheck="false"
          ${describedBy('username', is('username'))}
        />
        <label for="password">Password</label>
        <p class="hint" id="password-hint">
          At least ${MIN_PAGE_PASSWORD} characters. A few words that only you would put together are best.
        </p>
        <input
          id="password"
          name="password"
          type="password"
          required
          minlength="${MIN_PAGE_PASSWORD}"
          maxlength="${MAX_PASSWORD_LENGTH}"
          autocomplete="new-password"
          ${describedBy('password', is('password'))}
        />
        <label for="repeat">The password again</label>
        <p class="hint" id="repeat-hint">To be sure that it is what you meant.</p>
        <input
          id="repeat"
          name="repeat"
          type="password"
          required
          maxlength="${MAX_PASSWORD_LENGTH}"
          autocomplete="new-password"
          ${describedBy('repeat', is('repeat'))}
        />
        ${termsFields(hs, is('terms'))}<button type="submit">Make the account</button>
      </form>`,
  )
}

/** Where to go from here. */
export function welcomePage(hs: Deps, userId: string, isAdmin: boolean): HttpResponse {
  return htmlPage(
    200,
    'Your account is ready',
    html`<p>You are <code>${userId}</code>${isAdmin && ', and an administrator of this server'}.</p>
      <p>
        Open any Matrix client, such as Element, choose to sign in, give as homeserver
        <code>${publicBaseUrl(hs.config)}</code>, and your user name and password.
      </p>`,
  )
}
