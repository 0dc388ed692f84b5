// When the time to pay is over, the page looks what has become of the order.

const LOOK_AGAIN_MS = 3000;
document.addEventListener("over", () => setTimeout(() => location.reload(), LOOK_AGAIN_MS));
