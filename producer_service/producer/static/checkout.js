// The checkout page: sends an order, asks for random ones, lists the newest.

async function send(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const result = await answer.json();
  if (!answer.ok) {
    throw new Error(result.errors?.map((error) => `${error.pointer.slice(1)} ${error.detail}`).join("; ") ?? result.detail);
  }
  return result;
}

function onSubmit(form, status, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    status.textContent = "…";
    try {
      status.textContent = await act(Object.fromEntries(new FormData(form)));
      await showRecent();
    } catch (error) {
      status.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
}

async function showRecent() {
  const { orders } = await (await fetch("/orders?limit=10")).json();
  const lines = orders.map((order) => {
    const line = document.createElement("li");
    line.textContent = `${order.quantity} × ${order.item} for ${order.customer_name}: ${order.total} (${order.status})`;
    return line;
  });
  document.getElementById("recent").replaceChildren(...lines);
}

onSubmit(document.getElementById("order"), document.getElementById("result"), async (fields) => {
  const order = await send("/orders", { ...fields, quantity: Number(fields.quantity) });
  return `Placed: order ${order.id}, total ${order.total}`;
});
onSubmit(document.getElementById("random"), document.getElementById("generated"), async ({ count }) => {
  const placed = await send("/orders/random", { count: Number(count) });
  return `${placed.count} orders placed`;
});
showRecent();
