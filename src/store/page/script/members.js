// Who belongs to an organization, in which role, with which tokens. Only owners come here.

const ROLES = [["reader", "Reader: sees names and the audit trail"], ["editor", "Editor: creates, updates and deletes secrets too"], ["owner", "Owner: manages members and tokens too"]];
const IS_ADDRESS = /^(?!.*[\s"'`()<>[\],;:\\*/?#%&|$])[^@]+@[^@]+$/;
const NO_ADDRESS = "Enter an e-mail address, such as bob@acme.com.";
const memberPath = (org, email) => orgPath(org, `/members/${encodeURIComponent(email)}`);
const shownNames = (names) => (names?.length ? names.flatMap((name, index) => [index ? ", " : "", code(name)]) : quiet("none"));

/** A list of names and globs, as it is typed. */
function namesField(label, value, hint) {
  const made = field(label, input({ value: value.join(", ") }), { hint });
  made.names = () => {
    const names = made.value.split(/[\s,]+/).filter(Boolean);
    if (names.length > 256) return made.error("Up to 256 are taken. Use patterns."), null;
    const wrong = names.find((name) => !/^[A-Z*][A-Z0-9_*]{0,127}$/.test(name));
    if (wrong) return made.error(`${wrong} is neither a name such as STRIPE_API_KEY nor a pattern such as STRIPE_*.`), null;
    return names;
  };
  return made;
}

function membersView(org, at) {
  return async () => {
    const own = orgOf(org);
    const table = pagedTable({
      caption: `Members of ${org}`,
      columns: [["E-mail"], ["Role"], ["May resolve"], ["Added"], ["Actions"]],
      read: pages(orgPath(org, "/members"), "members"), cells,
      noun: "member",
      empty: () => [],
    });
    function cells(member) {
      const { email } = member;
      const changed = (now) => table.change((one) => one.email === email, now);
      return [
        [h("strong", email), email === own.member && tag("You"), member.damaged && tag("Damaged", "bad", "Not as it was written. Remove the member and add it again.")],
        member.role ?? "–", shownNames(member.names), member.created_at ? [when(member.created_at), " ", quiet(`by ${member.created_by}`)] : "–",
        h("div.row-actions",
          !member.damaged && rowButton("Change", email, () => editMember(org, member, changed)),
          !member.damaged && button("Tokens", () => memberTokens(org, email), { "aria-label": `Tokens of ${email}` }),
          rowButton("Remove", email, () => removeMember(org, email, own, () => changed(null)), "bad")),
      ];
    }
    at.ends(table.stop);
    await table.load();
    return [h("div.toolbar", quiet("Roles say who manages secrets; workloads get theirs by tokens of their own."), button("Add member", () => editMember(org, null, () => table.load()), { class: "primary" })), table.element];
  };
}

/** A new member, or one that is to change. */
function editMember(org, member, done) {
  openDialog(member ? `Change ${member.email}` : "Add member", (dialog) => {
    const email = field("E-mail", input({ type: "email", required: true, placeholder: "bob@acme.com" }));
    const role = field("Role", select(ROLES, member?.role ?? "reader"));
    const names = namesField("May resolve", member?.names ?? [], "Names and patterns, such as DEV_*, that they may launch their own programs with. None is needed to manage secrets.");
    async function run() {
      const address = email.value.trim();
      if (!member && !IS_ADDRESS.test(address)) return email.error(NO_ADDRESS);
      const list = names.names();
      if (!list) return;
      const body = { role: role.value, names: list };
      let now;
      try {
        now = await (member ? call("PATCH", memberPath(org, member.email), { body }) : call("POST", orgPath(org, "/members"), { body: { ...body, email: address } }));
      } catch (error) {
        if (error.kind === "last-owner") return role.error(`${member.email} is the last owner with a token. Make somebody else an owner first, and a token for them.`);
        if (error.status === 409) return email.error(`${address} is a member already. If their token was lost, make another under Tokens.`);
        throw error;
      }
      dialog.close();
      if (!member) await showToken(`Token for ${now.email}`, { token: now.token, intro: `${now.email} is added. Pass this token on in private: who has it signs in as ${now.email}.` });
      else notify(`Changed ${now.email}`);
      done(now);
      if (now.email !== orgOf(org)?.member) return;
      await loadOrgs();
      show();
    }
    return form({ children: [!member && email.row, role.row, names.row], submit: member ? "Save" : "Add", run, dialog });
  }, { guard: typed });
}

function removeMember(org, email, own, done) {
  openDialog(`Remove ${email}`, (dialog) => {
    const minted = h("div.users", quiet("Looking for tokens that they made…"));
    allPages(orgPath(org, "/tokens"), "tokens").then((tokens) => {
      const made = tokens.filter((token) => token.created_by === email && token.member !== email);
      minted.replaceChildren(...(made.length === 0 ? [quiet("They made no token for anybody else.")] : [
        h("p", `${count(made.length, "token")} that they made will stop working too:`),
        h("ul", made.map((token) => h("li", h("strong", token.workload ?? token.member), quiet(` ${token.id}`)))),
      ]));
    }).catch((error) => minted.replaceChildren(h("p.error", error.message)));
    async function run() {
      await call("DELETE", memberPath(org, email)).catch(unless(404));
      dialog.close();
      done();
      notify(`Removed ${email}`);
      if (email === own.member) forget();
    }
    const intro = email === own.member ? "This is you: you lose access at once." : `${email} loses access at once.`;
    return form({ children: [h("p", `${intro} Their tokens stop working, and every token that they made. The secrets that they created stay.`), minted], submit: "Remove", danger: true, run, dialog });
  });
}

/** A member's tokens: a new one, where one was lost, and those that are to end. */
function memberTokens(org, email) {
  openDialog(`Tokens of ${email}`, (dialog) => {
    const list = h("ul.plain");
    const failure = h("p.error", { role: "alert" });
    /** Once at a time. */
    const alone = (act, runs) => async () => {
      if (runs) return;
      runs = true;
      failure.textContent = "";
      await act().catch((error) => (failure.textContent = error.message));
      runs = false;
    };
    const load = alone(async () => {
      const tokens = (await allPages(orgPath(org, "/tokens"), "tokens")).filter((token) => token.member === email);
      list.replaceChildren(...tokens.map((token) => h("li", code(token.id), quiet(" made ", when(token.created_at)), " ",
        rowButton("Revoke", token.id, () => revokeToken(org, token.id, email, load), "small bad"))));
      if (tokens.length === 0) list.replaceChildren(h("li", quiet("None: they cannot sign in.")));
    });
    const create = alone(async () => {
      const made = await call("POST", orgPath(org, "/tokens"), { body: { member: email } }).finally(working(dialog));
      await showToken(`Token for ${email}`, { token: made.token, intro: `Pass it on in private: who has it signs in as ${email}.` });
      await load();
    });
    load();
    return [list, failure, h("div.actions", button("Close", () => dialog.close()), button("Create another token", create, { class: "primary" }))];
  });
}
